/** The header that says why a call missed, where that is sure when the headers of its answer leave. Against the lab. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { freePort, runWorker } from '../../e2e/running.ts'
import type { Running } from '../../e2e/running.ts'
import { runLab } from '../../lab/running.ts'
import type { RunningLab } from '../../lab/running.ts'

const KEY = 'pilotlight-dev'

let lab: RunningLab
let worker: Running
let folder: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pilotlight-in-time-'))
  lab = await runLab({ vars: { LAB_LATENCY: 'off' } })
  const vars = {
    ENVIRONMENT: 'development',
    ADMIN_KEY: 'pilotlight-admin',
    DEV_ACCOUNT_KEY: KEY,
    LAB_URL: lab.url,
    LAB_PROVIDERS: 'anthropic,openai',
  }
  worker = await runWorker({ persist: folder, port: await freePort(), vars })
  // From now on the isolate has seen a call of the account.
  await anthropic({ system: 'Be brief.' }, { session: 'first' })
})

afterAll(async () => {
  await worker?.kill()
  await lab?.stop()
  await rm(folder, { recursive: true, force: true })
})

const MARK = { cache_control: { type: 'ephemeral' } }
const RULES = 'You answer questions about the river handbook. '.repeat(400)
const system = (intro: string) => [{ type: 'text', text: `${intro} ${RULES}`, ...MARK }]
const tool = (name: string) => ({ name, description: 'Looks.', input_schema: { type: 'object', properties: {} } })

interface Told {
  verdict: string | null
  read: number
  done: string | null
}

/** Sends headers of ours by their last word, and reads the answer to its end. */
async function asked(path: string, body: object, given: Record<string, string>): Promise<Response> {
  const own = Object.entries(given).map(([name, value]) => [`x-pilotlight-${name}`, value])
  return fetch(`${worker.base}/via/${path}`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'x-pilotlight-key': KEY,
      ...(path.startsWith('openai') ? { authorization: 'Bearer lab' } : { 'x-api-key': 'lab' }),
      'anthropic-version': '2023-06-01',
      ...Object.fromEntries(own),
    },
    body: JSON.stringify(body),
  })
}

async function anthropic(body: object, given: Record<string, string>): Promise<Told> {
  const whole = {
    model: 'claude-opus-4-8',
    max_tokens: 64,
    messages: [{ role: 'user', content: 'Where is the ford?' }],
    ...body,
  }
  const answer = await asked('anthropic/v1/messages', whole, given)
  const text = await answer.text()
  expect({ status: answer.status, text }).toMatchObject({ status: 200 })
  return {
    verdict: answer.headers.get('x-pilotlight-verdict'),
    read: Number(/"cache_read_input_tokens":(\d+)/.exec(text)?.[1]),
    done: answer.headers.get('x-pilotlight'),
  }
}

/** The verdict of one of several attempts: a header that is not known in time is left out. */
async function inTime(attempt: (nth: number) => Promise<string | null>): Promise<string | null> {
  for (let nth = 0; nth < 10; nth++) {
    const verdict = await attempt(nth)
    if (verdict !== null) return verdict
  }
  return null
}

const sure = (verdict: string): RegExp => new RegExp(`^${verdict}; confidence=(?:1|0\\.[7-9]\\d?)$`)

describe.each([{ stream: false }, { stream: true }])('a call that missed, streamed: $stream', ({ stream }) => {
  it.each<[string, string, (own: string) => [object, object]]>([
    [
      'a clock',
      'clock_in_prefix',
      (own) => [{ system: system(`${own} It is 10:41:07.`) }, { system: system(`${own} It is 10:42:09.`) }],
    ],
    [
      'another text',
      'text_changed',
      (own) => [{ system: system(`${own} Be kind.`) }, { system: system(`${own} Be wise.`) }],
    ],
    [
      'a tool more',
      'tools_changed',
      (own) => [
        { tools: [tool('look')], system: system(own) },
        { tools: [tool('look'), tool('find')], system: system(own) },
      ],
    ],
    [
      'tools in another order',
      'tool_order',
      (own) => [
        { tools: [tool('look'), tool('find')], system: system(own) },
        { tools: [tool('find'), tool('look')], system: system(own) },
      ],
    ],
    [
      'a marker that was left out',
      'marker_missing',
      (own) => [{ system: system(own) }, { system: system(own).map(({ type, text }) => ({ type, text })) }],
    ],
  ])('by %s is told so', async (what, verdict, bodies) => {
    const told = await inTime(async (nth) => {
      const session = { session: `${what} ${nth} ${stream}` }
      const [before, after] = bodies(`${what} ${nth} ${stream}.`)
      expect(await anthropic({ ...before, stream }, session)).toMatchObject({ verdict: null, read: 0 })
      const missed = await anthropic({ ...after, stream }, session)
      expect(missed.read).toBe(0)
      return missed.verdict
    })
    expect(told).toMatch(sure(verdict))
  })

  it('is told by its label too, where each conversation is another one', async () => {
    const label = { name: `labelled ${stream}` }
    const told = await inTime(async (nth) => {
      const ask = (content: string) => ({
        stream,
        messages: [{ role: 'user', content: `${content} ${nth} ${stream}` }],
      })
      const own = (run: string) => ({ system: system(`Run ${run}${String(nth).padStart(4, '0')}a${stream ? 1 : 0}.`) })
      await anthropic({ ...ask('Where is the mill?'), ...own('7f3a9c21e4') }, label)
      return (await anthropic({ ...ask('How old is it?'), ...own('c04be1978a') }, label)).verdict
    })
    expect(told).toMatch(sure('id_in_prefix'))
  })
})

describe('nothing is said', () => {
  it('of a call that reads, of a first one, and of another conversation', async () => {
    const session = { session: 'reads' }
    const turns = (count: number) =>
      Array.from({ length: count }, (_, at) => ({ role: at % 2 === 0 ? 'user' : 'assistant', content: `Turn ${at}.` }))
    const body = (count: number) => ({ system: system('Reads.'), messages: turns(count) })
    expect(await anthropic(body(1), session)).toMatchObject({ verdict: null, read: 0 })
    for (const count of [1, 3, 5]) {
      const told = await anthropic(body(count), session)
      expect(told.verdict).toBeNull()
      expect(told.read).toBeGreaterThan(2_000)
    }
    const other = { system: [{ type: 'text', text: 'Judge poems by their metre alone. '.repeat(400), ...MARK }] }
    expect(await anthropic(other, session)).toMatchObject({ verdict: null, read: 0 })
  })

  it('where a call in between is not known, because nothing was to be learned from it', async () => {
    const session = { session: 'unlearned' }
    await anthropic({ system: system('First.') }, session)
    await anthropic({ system: system('Second.') }, { ...session, learn: 'off' })
    expect(await anthropic({ system: system('Third.') }, session)).toMatchObject({ verdict: null, read: 0 })
  })

  it('where another call had written the changed text, so that it was read', async () => {
    const session = { session: 'written before' }
    await anthropic({ system: system('Old words.') }, session)
    await anthropic({ system: system('New words.') }, { session: 'another one' })
    const told = await anthropic({ system: system('New words.') }, session)
    expect(told.verdict).toBeNull()
    expect(told.read).toBeGreaterThan(2_000)
  })
})

describe('a stream whose counts come last', () => {
  const turn = (role: string, at: number) => ({
    role,
    content: `${role} ${at}: ${'The ford lies below the mill. '.repeat(120)}`,
  })
  const history = (count: number) =>
    Array.from({ length: count }, (_, at) => turn(at % 2 === 0 ? 'user' : 'assistant', at))
  async function openai(instructions: string, count: number, session: string): Promise<string | null> {
    const body = { model: 'gpt-5.6-sol', stream: true, store: false, instructions, input: history(count) }
    const answer = await asked('openai/v1/responses', body, { session })
    expect({ status: answer.status, text: await answer.text() }).toMatchObject({ status: 200 })
    return answer.headers.get('x-pilotlight-verdict')
  }

  it('is told where turns of its own stand behind the change, and not where nobody can know', async () => {
    const told = await inTime(async (nth) => {
      for (const count of [3, 5]) expect(await openai('Be kind.', count, `grown ${nth}`)).toBeNull()
      return openai('Be wise.', 7, `grown ${nth}`)
    })
    expect(told).toMatch(sure('text_changed'))
    // Somebody else may have written the new instructions: nothing of this conversation is lost behind them.
    expect(await openai('Be kind.', 1, 'short')).toBeNull()
    expect(await openai('Be wise.', 1, 'short')).toBeNull()
    // Two answers that were not seen came between.
    expect(await openai('Be kind.', 3, 'gap')).toBeNull()
    expect(await openai('Be wise.', 7, 'gap')).toBeNull()
  })
})

describe("the provider's own diagnostics", () => {
  /** The bodies that the provider got for calls with one session, and what it told. */
  async function received(mark: string): Promise<Record<string, unknown>[]> {
    const answer = await fetch(`${lab.url}/_lab/transcript`)
    const { data } = (await answer.json()) as { data: { body: string }[] }
    return data.filter(({ body }) => body.includes(mark)).map(({ body }) => JSON.parse(body))
  }

  it('are asked for at Anthropic, with the answer before of this conversation, and read', async () => {
    const given = { session: 'diagnosed', diagnose: 'on' }
    const edited = 'edited; reason="the provider was asked for its diagnostics"'
    for (const intro of ['Diagnosed Be kind.', 'Diagnosed Be wise.'])
      expect(await anthropic({ system: system(intro) }, given)).toMatchObject({ done: edited })
    const [first, second] = await received('Diagnosed Be')
    expect(first?.['diagnostics']).toEqual({ previous_message_id: null })
    expect(second?.['diagnostics']).toEqual({ previous_message_id: expect.stringMatching(/^msg_lab_/) })
    expect(Object.keys(second ?? {}).at(-1)).toBe('diagnostics')
  })

  it('stay as the call asks for them itself', async () => {
    const own = { system: system('Own diagnostics.'), diagnostics: { previous_message_id: null } }
    const { done } = await anthropic(own, { session: 'own', diagnose: 'on' })
    expect(done).toBe('observed; reason="diagnostics were not asked for: the call sets them itself"')
  })

  it('are asked for at OpenAI beside its own options, once an answer is known', async () => {
    const ask = async (
      input: string,
      given: Record<string, string> = { session: 'compared', diagnose: 'on' },
      over = {},
    ) => {
      const body = { model: 'gpt-5.6-sol', instructions: `Compared. ${RULES}`, input, ...over }
      const answer = await asked('openai/v1/responses', body, given)
      const text = await answer.text()
      expect({ status: answer.status, text }).toMatchObject({ status: 200 })
      return { done: answer.headers.get('x-pilotlight'), told: JSON.parse(text).prompt_cache_diagnostics }
    }
    expect(await ask('Where is the ford?')).toEqual({
      done: 'observed; reason="diagnostics were not asked for: no earlier answer of this conversation is known here"',
      told: undefined,
    })
    const second = await ask('Where is the ford?', undefined, { prompt_cache_options: { mode: 'implicit' } })
    expect(second).toEqual({
      done: 'edited; reason="the provider was asked for its diagnostics"',
      told: { type: 'cache_hit' },
    })
    const own = { prompt_cache_options: { comparison_response_id: 'resp_mine' } }
    expect(await ask('Where is the ford?', undefined, own)).toEqual({
      done: 'observed; reason="diagnostics were not asked for: the call sets them itself"',
      told: { type: 'comparison_response_not_found' },
    })
    expect((await ask('Old one?', undefined, { model: 'gpt-5.4' })).done).toBe(
      'observed; reason="diagnostics were not asked for: this provider or model has none"',
    )
  })
})
