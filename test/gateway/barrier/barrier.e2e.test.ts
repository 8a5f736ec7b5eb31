/** Calls that come together, in workerd alone: one writes, the others wait until they can read. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { runLab } from '../../lab/running.ts'
import type { RunningLab } from '../../lab/running.ts'
import type { TranscriptRow } from '../../lab/transcript.ts'
import { rawWorkerd } from '../../support/raw-workerd.ts'
import type { RawWorkerd } from '../../support/raw-workerd.ts'
import { answerOf, caller, provider } from '../../support/wire.ts'
import type { Caller, Provider } from '../../support/wire.ts'

const KEY = 'pilotlight-dev'

let lab: RunningLab
let worker: RawWorkerd
/** A provider that answers when a test says so. */
let upstream: Provider
let prefix = ''
let count = 0
let others = 0

beforeAll(async () => {
  lab = await runLab()
  upstream = await provider(() => {})
  worker = await rawWorkerd({
    ENVIRONMENT: 'development',
    ADMIN_KEY: 'pilotlight-admin',
    DEV_ACCOUNT_KEY: KEY,
    KEY_ENCRYPTION_SECRET: 'pilotlight-seal-of-tests',
    LAB_URL: lab.url,
    LAB_PROVIDERS: 'anthropic,openai',
    VLLM_BASE_URL: `${upstream.url}/v1`,
  })
})

afterAll(async () => {
  await worker?.stop()
  await upstream?.close()
  await lab?.stop()
})

beforeEach(async () => {
  upstream.calls.length = 0
  count += 1
  prefix = long(`Handbook ${count}`)
  await fetch(`${lab.url}/_lab/transcript`, { method: 'DELETE' })
  await fetch(`${lab.url}/_lab/faults`, { method: 'DELETE' })
})

const long = (name: string): string => `${name}. ${'You answer questions about the river handbook. '.repeat(1_000)}`
const headers = { 'x-pilotlight-key': KEY, 'x-pilotlight-barrier': 'on', 'content-type': 'application/json' }

const messages = (question: string, stream = true) => ({
  model: 'claude-opus-4-8',
  max_tokens: 16,
  stream,
  system: [{ type: 'text', text: prefix, cache_control: { type: 'ephemeral' } }],
  messages: [{ role: 'user', content: question }],
})
const responses = (question: string) => ({
  model: 'gpt-5.4',
  stream: true,
  input: [
    { role: 'developer', content: prefix },
    { role: 'user', content: question },
  ],
})

/** Sends a call to the lab, and returns its status and what its header says. */
async function sent(
  path: string,
  key: Record<string, string>,
  body: object,
): Promise<{ status: number; done: string }> {
  const url = `${worker.base}/via/${path}`
  const answer = await fetch(url, { method: 'POST', headers: { ...headers, ...key }, body: JSON.stringify(body) })
  await answer.arrayBuffer()
  return { status: answer.status, done: answer.headers.get('x-pilotlight') ?? '' }
}

const toAnthropic = (question: string, stream = true) =>
  sent('anthropic/v1/messages', { 'x-api-key': 'lab', 'anthropic-version': '2023-06-01' }, messages(question, stream))
const toOpenAi = (question: string) => sent('openai/v1/responses', { authorization: 'Bearer lab' }, responses(question))

/** What the lab saw. */
async function rows(): Promise<TranscriptRow[]> {
  const answer = await fetch(`${lab.url}/_lab/transcript?chars=0`)
  return ((await answer.json()) as { data: TranscriptRow[] }).data
}

const together = <Made>(many: number, make: (question: string) => Promise<Made>): Promise<Made[]> =>
  Promise.all(Array.from({ length: many }, (_, at) => make(`Question ${at}?`)))

interface Counts {
  cache_creation_input_tokens: number
  cache_read_input_tokens: number
}

describe('many calls at once', () => {
  test('16 to Anthropic: one writes, and 15 read all of it', async () => {
    const done = (await together(16, toAnthropic)).map((one) => one.done)
    const usages = (await rows()).map(({ usage }) => usage as Counts)
    const written = usages.filter((usage) => usage.cache_creation_input_tokens > 0)
    expect(usages).toHaveLength(16)
    expect(written).toHaveLength(1)
    const whole = written[0]?.cache_creation_input_tokens
    expect(usages.filter((usage) => usage.cache_read_input_tokens === whole)).toHaveLength(15)
    expect(done.filter((one) => one === 'observed; reason="the first at its barrier"')).toHaveLength(1)
    expect(done.filter((one) => /^observed; reason="waited \d+ ms for the first of 16"$/.test(one))).toHaveLength(15)
  })

  test('12 to OpenAI: one writes, and 11 read', async () => {
    await together(12, toOpenAi) // above fifteen a minute the provider goes to a second machine, which is cold
    const read = (await rows()).map(
      ({ usage }) => (usage as { input_tokens_details: { cached_tokens: number } }).input_tokens_details.cached_tokens,
    )
    expect(read).toHaveLength(12)
    expect(read.filter((tokens) => tokens === 0)).toHaveLength(1)
    expect(read.filter((tokens) => tokens > 5_000)).toHaveLength(11)
  })

  test('without the header each of them writes', async () => {
    const { 'x-pilotlight-barrier': _, ...plain } = headers
    const all = await together(4, (question) =>
      fetch(`${worker.base}/via/anthropic/v1/messages`, {
        method: 'POST',
        headers: { ...plain, 'x-api-key': 'lab', 'anthropic-version': '2023-06-01' },
        body: JSON.stringify(messages(question)),
      }).then((answer) => answer.arrayBuffer()),
    )
    expect(all).toHaveLength(4)
    expect(
      (await rows()).filter(({ usage }) => (usage as Counts).cache_creation_input_tokens > 0).length,
    ).toBeGreaterThan(1)
  })

  test('a first that the provider refuses is followed by another', async () => {
    const fault = { kind: 'server_error', times: 1, provider: 'anthropic' }
    const made = await fetch(`${lab.url}/_lab/faults`, { method: 'POST', body: JSON.stringify(fault) })
    expect(made.status).toBe(201)
    const answers = await together(8, toAnthropic)
    expect(answers.filter(({ status }) => status === 500)).toHaveLength(1)
    const usages = (await rows()).flatMap(({ usage, status }) => (status === 200 ? [usage as Counts] : []))
    expect(usages.filter((usage) => usage.cache_creation_input_tokens > 0)).toHaveLength(1)
    expect(usages.filter((usage) => usage.cache_read_input_tokens > 5_000)).toHaveLength(6)
    expect(answers.filter(({ done }) => done.endsWith(', and leads now"'))).toHaveLength(1)
  })

  test('a registered prefix that is warm has none of them wait', async () => {
    const own = { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' }
    const body = JSON.stringify({ provider: 'anthropic', request: messages('.', false) })
    const warmed = await fetch(`${worker.base}/warm`, { method: 'POST', headers: own, body })
    expect(((await warmed.json()) as { receipt: { kind: string } }).receipt.kind).toBe('written')
    const answers = await together(4, toAnthropic)
    for (const { done } of answers) expect(done).toBe('observed; reason="did not wait: its prefix can be read"')
  })
})

describe('calls that wait', () => {
  /** A caller of the provider that a test answers. */
  function called(question: string, text = prefix): Caller {
    const chat = {
      model: 'm',
      messages: [
        { role: 'system', content: text },
        { role: 'user', content: question },
      ],
    }
    const body = JSON.stringify(chat)
    const head = [
      'POST /via/vllm/v1/chat/completions HTTP/1.1',
      'Host: pilotlight.test',
      `Content-Length: ${Buffer.byteLength(body)}`,
      'Content-Type: application/json',
      'Connection: close',
      `X-Pilotlight-Key: ${KEY}`,
      'X-Pilotlight-Barrier: on',
      'Authorization: Bearer own',
    ]
    return caller(worker.base, `${head.join('\r\n')}\r\n\r\n${body}`)
  }

  const arrived = async (many: number): Promise<void> => {
    await expect.poll(() => upstream.calls.length, { timeout: 30_000, interval: 5 }).toBe(many)
  }

  /** Resolves when calls that were sent before are at the barrier: calls for other prefixes have passed it, one after the other. */
  async function settled(): Promise<void> {
    for (let round = 0; round < 3; round++) {
      others += 1
      called('Other?', long(`Other ${others}`))
      await arrived(upstream.calls.length + 1)
    }
  }

  const asked = (question: string) => upstream.calls.filter((call) => call.body().includes(question))
  const answer = (question: string): void => {
    for (const call of asked(question))
      call.socket.end(answerOf('200 OK', ['content-type: application/json'], '{"usage":{}}'))
  }

  test('go at the first token of the first, and not at its headers, nor at its end', async () => {
    called('First?')
    await arrived(1)
    const stays = called('Stays?')
    await settled()
    const { socket } = asked('First?')[0] ?? expect.fail('nothing arrived')
    socket.write('HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n: wait\n\n')
    await settled()
    expect(asked('Stays?')).toEqual([])
    socket.write('data: {"choices":[{"index":0,"delta":{"content":"Deep"}}]}\n\n')
    await expect.poll(() => asked('Stays?').length, { timeout: 5_000, interval: 5 }).toBe(1)
    expect(socket.writableEnded).toBe(false)
    answer('Stays?')
    await stays.ended
    expect(stays.bytes().toString()).toMatch(/x-pilotlight: observed; reason="waited \d+ ms for the first of 2"/i)
    socket.end()
  })

  test('go on when the first is never answered: one after 10 s, the rest after 20 s', { timeout: 60_000 }, async () => {
    called('First?')
    await arrived(1)
    const startedAt = performance.now()
    const rest = ['Second?', 'Third?', 'Fourth?'].map((question) => called(question))
    await expect.poll(() => asked(prefix).length, { timeout: 15_000, interval: 20 }).toBe(2)
    const secondMs = performance.now() - startedAt
    await expect.poll(() => asked(prefix).length, { timeout: 15_000, interval: 20 }).toBe(4)
    const lastMs = performance.now() - startedAt
    for (const question of ['Second?', 'Third?', 'Fourth?']) answer(question)
    await Promise.all(rest.map(({ ended }) => ended))
    expect(secondMs).toBeGreaterThan(8_000)
    expect(lastMs).toBeGreaterThan(18_000)
    expect(lastMs).toBeLessThan(25_000)
    for (const one of rest)
      expect(one.bytes().toString()).toMatch(
        /x-pilotlight: observed; reason="waited \d+ ms, (?:and leads now|the longest, and went on)"/i,
      )
  })

  test('another one leads when the first is reset, and the rest wait for it', async () => {
    const first = called('First?')
    await arrived(1)
    const rest = ['Second?', 'Third?', 'Fourth?'].map((question) => called(question))
    await settled()
    expect(asked(prefix)).toHaveLength(1)
    first.socket.resetAndDestroy()
    await expect.poll(() => asked(prefix).length, { timeout: 5_000, interval: 5 }).toBe(2)
    await settled()
    expect(asked(prefix)).toHaveLength(2)
    const second = ['Second?', 'Third?', 'Fourth?'].find((question) => asked(question).length > 0) ?? ''
    answer(second)
    await expect.poll(() => asked(prefix).length, { timeout: 5_000, interval: 5 }).toBe(4)
    for (const question of ['Second?', 'Third?', 'Fourth?']) answer(question)
    await Promise.all(rest.map(({ ended }) => ended))
    const said = rest.map((one) => /x-pilotlight: (.*)\r/i.exec(one.bytes().toString())?.[1] ?? '')
    expect(said.filter((one) => one.endsWith('and leads now"'))).toHaveLength(1)
    expect(said.filter((one) => one.endsWith('for the first of 3"'))).toHaveLength(2)
  })

  test('nothing is sent for one who is reset while it waits', async () => {
    called('First?')
    await arrived(1)
    const left = called('Left?')
    const stays = called('Stays?')
    await settled()
    left.socket.resetAndDestroy()
    await settled()
    answer('First?')
    await expect.poll(() => asked('Stays?').length, { timeout: 5_000, interval: 5 }).toBe(1)
    await settled()
    expect(asked('Left?')).toEqual([])
    answer('Stays?')
    await stays.ended
    expect(stays.bytes().toString()).toMatch(/x-pilotlight: observed; reason="waited \d+ ms for the first of 3"/i)
  })

  test('one who is reset while it waits leads nothing', async () => {
    const first = called('First?')
    await arrived(1)
    const left = called('Left?')
    await settled()
    called('Stays?')
    await settled()
    left.socket.resetAndDestroy()
    await settled()
    first.socket.resetAndDestroy()
    await expect.poll(() => asked('Stays?').length, { timeout: 5_000, interval: 5 }).toBe(1)
    expect(asked('Left?')).toEqual([])
    answer('Stays?')
  })
})
