import { evictDurableObject, runInDurableObject } from 'cloudflare:test'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { botAnswer, botCancelled } from '../../../src/contract/bot.ts'
import { botResponse } from '../../../src/contract/bot-responses.ts'
import type { Bot } from '../../../src/durable/bot/bot.ts'
import type { Cancellation } from '../../../src/durable/bot/cancelled-call.ts'
import { BotCallLog } from '../../../src/durable/bot/tables/calls.ts'
import { BotCallLedger } from '../../../src/durable/registry/ledger/bot-calls.ts'
import { anthropic, begin, ended, hear, objectOf, openai, say } from './support.ts'
import { get, newAccount, pick, post, received, useLab } from '../support.ts'
import type { Answer } from '../support.ts'

const world = useLab()

afterEach(() => {
  vi.restoreAllMocks()
})

const cancel = (id: string, body?: unknown, options?: Parameters<typeof post>[2]): Promise<Answer> =>
  post(`/bots/${id}/cancel`, body, options)

/** Sends a message whose answer stops halfway, and waits until its stream has begun. */
async function stalled(id: string): Promise<{ turn: string; listening: Awaited<ReturnType<typeof hear>> }> {
  world.lab.faults.add({ kind: 'stalls', times: 1 })
  const listening = await hear(id)
  const turn = pick(await post(`/bots/${id}/messages`, { text: 'Which tent for two?' }), 'turn_id') as string
  await vi.waitFor(() => expect(listening.deltas.length).toBeGreaterThan(0), 60_000)
  return { turn, listening }
}

const ledgerOf = async (id: string): Promise<Record<string, unknown>[]> => {
  const { json } = await get('/ledger?limit=1000')
  return (json['data'] as Record<string, unknown>[]).filter((row) => row['bot_id'] === id)
}

describe('cancelling a turn whose answer is on its way', () => {
  it('aborts the stream, and charges the stated input with the longest answer', async () => {
    const id = await begin({ ...anthropic, max_output_tokens: 1_000 })
    const { turn, listening } = await stalled(id)
    const answer = await cancel(id)
    expect(answer.status).toBe(200)
    const told = botCancelled.parse(answer.json)
    expect(told).toMatchObject({
      turn_id: turn,
      cancelled: true,
      billed: null,
      charged: 'input_and_longest_output',
    })
    await vi.waitFor(() => expect(received(world.lab)[0]).toMatchObject({ client_left: true }), 30_000)
    // $25 a million of output tokens is the least; the input comes on top.
    expect(told.cost_usd).toBeGreaterThan((1_000 * 25) / 1e6)
    await vi.waitFor(() => expect(listening.heard).toHaveLength(1), 30_000)
    const heard = botResponse.parse(listening.heard[0])
    expect(heard).toMatchObject({ type: 'failed', turn_id: turn, billed: null, failure: { kind: 'cancelled' } })
    expect(heard).toMatchObject({ cost_usd: told.cost_usd, failure: { retryable: false } })
    const shown = botAnswer.parse((await get(`/bots/${id}`)).json)
    expect(shown).toMatchObject({ status: 'running', waiting: 0, spent_usd: told.cost_usd, last_response: null })
    expect(shown.calls).toMatchObject([{ outcome: 'failed', billed: null, failure: { kind: 'cancelled' } }])
    expect(await ledgerOf(id)).toMatchObject([
      { cost_usd: told.cost_usd, why: expect.stringMatching(/longest answer/) },
    ])
    expect(received(world.lab)).toHaveLength(1)
  })

  it('charges the worst case where the stream has not stated its usage', async () => {
    const id = await begin(openai)
    const { turn } = await stalled(id)
    expect((await cancel(id)).json).toEqual({
      turn_id: turn,
      cancelled: true,
      billed: null,
      cost_usd: null,
      charged: 'worst_case',
    })
    const [row] = await ledgerOf(id)
    expect(row).toMatchObject({ outcome: 'unknown', why: expect.stringMatching(/worst case/) })
    expect(row?.['cost_usd']).toBeGreaterThan(0)
    await vi.waitFor(() => expect(received(world.lab)[0]).toMatchObject({ client_left: true }), 30_000)
  })

  it('leaves the conversation as it was, and the next message is answered', async () => {
    const id = await begin()
    await say(id, 'Do you sell stoves?')
    await stalled(id)
    await cancel(id)
    await say(id, 'And mats?')
    const last = JSON.parse(received(world.lab).at(-1)?.body ?? '') as { messages: unknown[] }
    expect(JSON.stringify(last.messages)).not.toContain('Which tent for two?')
    expect(pick(await get(`/bots/${id}`), 'last_response', 'text')).toEqual(expect.any(String))
  })

  it('happens once, whoever repeats it', async () => {
    const id = await begin()
    const { turn } = await stalled(id)
    const headers = { 'idempotency-key': crypto.randomUUID() }
    const first = await cancel(id, { turn_id: turn }, { headers })
    expect((await cancel(id, { turn_id: turn }, { headers })).json).toEqual(first.json)
    expect(pick(await cancel(id, { turn_id: turn }), 'error', 'detail', 'reason')).toBe('no_turn')
  })
})

describe('cancelling while a summary is written', () => {
  const small = { ...anthropic, system_prompt: 'You sell tents.', history_tokens: 1_500, summarize: true }
  const long = (n: number): string =>
    `${n}. Tell me more. ${'It rains in the mountains, and the wind is strong there. '.repeat(12)}\nlab: say 250`

  /** A bot whose next message needs a summary, which hangs: its call is aborted by the test, and by nothing else. */
  async function summarizing(): Promise<{ id: string; turn: string; said: number; release: () => void }> {
    const { lab } = world
    const id = await begin(small)
    let hangs = true
    let isAsked = false
    vi.mocked(globalThis.fetch).mockImplementation(async (input, init) => {
      if (!hangs || !String(init?.body).includes('Summarize the conversation'))
        return lab.fetch(new Request(input, init))
      isAsked = true
      return new Promise((_, reject) => {
        init?.signal?.addEventListener('abort', () => reject(init.signal?.reason as Error))
      })
    })
    for (let said = 0; ; said += 1) {
      const turn = pick(await post(`/bots/${id}/messages`, { text: long(said) }), 'turn_id') as string
      await vi.waitFor(async () => {
        const shown = botAnswer.parse((await get(`/bots/${id}`)).json)
        expect(isAsked || shown.usage.turns > said).toBe(true)
      }, 60_000)
      if (isAsked) return { id, turn, said, release: () => (hangs = false) }
    }
  }

  const historyOf = async (id: string): Promise<string> =>
    JSON.stringify((await objectOf(id).view()).state.window.recent)

  it('loses nothing of the history, and the next message has it summarized', async () => {
    const { id, turn, said, release } = await summarizing()
    const { heard } = await hear(id)
    const told = botCancelled.parse((await cancel(id)).json)
    await ended(id, turn)
    const shown = botAnswer.parse((await get(`/bots/${id}`)).json)
    // Before its answer the turn ends with the summary; behind its answer it has ended.
    expect([told.turn_id, told.cancelled]).toEqual([turn, shown.usage.turns === said])
    const history = await historyOf(id)
    for (let n = 0; n < shown.usage.turns; n += 1) expect(history).toContain(`${n}. Tell me more`)
    expect(heard.map(({ type }) => type)).not.toContain('compacted')
    release()
    await say(id, long(said + 1))
    const compacted = heard.filter(({ type }) => type === 'compacted')
    expect(compacted.length).toBeGreaterThan(0)
    for (const one of compacted) expect(one).toMatchObject({ summarized: true })
    expect((await objectOf(id).view()).state.window.summaries).toHaveLength(compacted.length)
  })
})

describe('cancelling a turn that has not been sent', () => {
  it('prepares no call, so that nothing is reserved and nothing charged', async () => {
    const id = await begin()
    const { listening } = await stalled(id)
    const begun = vi.spyOn(BotCallLedger.prototype, 'begin')
    const waiting = pick(await post(`/bots/${id}/messages`, { text: 'And mats?' }), 'turn_id') as string
    await cancel(id, { turn_id: waiting })
    await cancel(id)
    await ended(id, waiting)
    expect(begun).not.toHaveBeenCalled()
    expect(listening.heard.map(({ type }) => type)).toEqual(['failed', 'failed'])
    expect((await ledgerOf(id)).map((row) => row['turn_id'])).not.toContain(waiting)
  })

  it('charges nothing where it is given up between the last check and the send', async () => {
    const id = await begin()
    const begin_ = BotCallLog.prototype.begin
    // The bot itself cancels, in the moment after the last check and before its call is sent.
    const bot = await runInDurableObject(objectOf(id), (instance) => instance as unknown as Bot)
    let told: Cancellation | null = null
    vi.spyOn(BotCallLog.prototype, 'begin').mockImplementation(function (this: BotCallLog, ...given) {
      begin_.apply(this, given)
      void bot.cancel().then((cancellation) => (told = cancellation))
    })
    const turn = pick(await post(`/bots/${id}/messages`, { text: 'Which tent?' }), 'turn_id') as string
    await ended(id, turn)
    expect(received(world.lab)).toEqual([])
    const shown = botAnswer.parse((await get(`/bots/${id}`)).json)
    expect(told).toMatchObject({ turn, billed: false, nanos: 0, charged: 'nothing' })
    expect([shown.spent_usd, shown.calls.map(({ billed }) => billed)]).toEqual([0, [false]])
    expect(await ledgerOf(id)).toMatchObject([{ cost_usd: 0, outcome: 'refused' }])
  })

  it('sends nothing for a waiting one, and the others go on', async () => {
    const id = await begin()
    const { listening } = await stalled(id)
    const waiting = pick(await post(`/bots/${id}/messages`, { text: 'And mats?' }), 'turn_id') as string
    const third = pick(await post(`/bots/${id}/messages`, { text: 'And stoves?' }), 'turn_id') as string
    expect((await cancel(id, { turn_id: waiting })).json).toEqual({
      turn_id: waiting,
      cancelled: true,
      billed: false,
      cost_usd: 0,
      charged: 'nothing',
    })
    await cancel(id)
    await ended(id, third)
    expect(received(world.lab).some(({ body }) => body.includes('And mats?'))).toBe(false)
    await vi.waitFor(() => expect(listening.heard.map(({ type }) => type)).toEqual(['failed', 'failed', 'message']))
    expect(listening.heard[1]).toMatchObject({ turn_id: waiting, billed: false, failure: { kind: 'cancelled' } })
  })

  it('holds through an eviction between two tries', async () => {
    world.lab.faults.add({ kind: 'overloaded', times: 1 })
    const id = await begin()
    const turn = pick(await post(`/bots/${id}/messages`, { text: 'Which tent?' }), 'turn_id') as string
    await vi.waitFor(async () => {
      const { history } = await objectOf(id).view()
      expect(history.some(({ what }) => what === 'retried')).toBe(true)
    }, 30_000)
    expect((await cancel(id)).json).toMatchObject({ turn_id: turn, billed: false, charged: 'nothing' })
    await evictDurableObject(objectOf(id))
    await ended(id, turn)
    expect(received(world.lab)).toHaveLength(1)
  })
})

it('cancelling gives up a tool too, and the model is not asked again', async () => {
  const { lab } = world
  const aborted: string[] = []
  let isAsked = false
  vi.mocked(globalThis.fetch).mockImplementation(async (input, init) => {
    const request = new Request(input, init)
    if (new URL(request.url).host !== 'tools.example') return lab.fetch(request)
    isAsked = true
    return new Promise((_, reject) => {
      init?.signal?.addEventListener('abort', () => {
        aborted.push(request.url)
        reject(init.signal?.reason as Error)
      })
    })
  })
  const tool = { name: 'stock', description: 'How many are left.', url: 'https://tools.example/stock' }
  const id = await begin({ ...anthropic, tools: [tool] })
  const turn = pick(await post(`/bots/${id}/messages`, { text: 'How many?\nlab: call stock {}' }), 'turn_id') as string
  await vi.waitFor(() => expect(isAsked).toBe(true), 60_000)
  const told = botCancelled.parse((await cancel(id)).json)
  expect(told).toMatchObject({ turn_id: turn, cancelled: true, billed: true, charged: 'usage' })
  expect(told.cost_usd).toBeGreaterThan(0)
  expect(aborted).toEqual(['https://tools.example/stock'])
  await ended(id, turn)
  expect(received(lab)).toHaveLength(1)
  expect(pick(await get(`/bots/${id}`), 'tool_calls', 0, 'outcome')).toBe('failed')
})

describe('cancelling is refused', () => {
  it('where no turn runs, and for a turn that ended', async () => {
    const id = await begin()
    const turn = await say(id, 'Which tent for two?')
    for (const body of [undefined, {}, { turn_id: turn }, { turn_id: 'evt_unknown' }]) {
      const answer = await cancel(id, body)
      expect([answer.status, pick(answer, 'error', 'detail', 'reason')]).toEqual([409, 'no_turn'])
    }
    expect(await ledgerOf(id)).toHaveLength(1)
  })

  it('to another account, for an unknown bot, and with a body that is wrong', async () => {
    const id = await begin()
    const { key } = await newAccount()
    expect((await cancel(id, {}, { key })).status).toBe(404)
    expect((await cancel(`bot_${'0'.repeat(24)}`)).status).toBe(404)
    expect(pick(await cancel(id, { turn_id: '' }), 'error', 'detail', 'field')).toBe('turn_id')
    expect(pick(await cancel(id, { turn: 'x' }), 'error', 'kind')).toBe('invalid_request')
  })
})
