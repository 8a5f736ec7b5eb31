import { exports } from 'cloudflare:workers'
import { describe, expect, it } from 'vitest'
import { PilotlightError, createBot, openBot, resumeBot } from '../../src/client/bots.ts'
import type { BotResponse, ClientOptions, Responses } from '../../src/client/bots.ts'
import { botResponse } from '../../src/contract/bot-responses.ts'
import { useLab } from '../http/support.ts'

useLab()

/** A socket as Node opens it, with headers, to the Worker of these tests. */
class Socket extends EventTarget {
  #socket: WebSocket | null = null

  constructor(url: string, { headers }: { headers: Record<string, string> }) {
    super()
    void this.#open(new Request(url.replace(/^ws/, 'http'), { headers: { ...headers, upgrade: 'websocket' } }))
  }

  async #open(request: Request): Promise<void> {
    const { webSocket } = await exports.default.fetch(request)
    if (webSocket === null) return void this.dispatchEvent(new Event('error'))
    this.#socket = webSocket
    for (const type of ['message', 'close'] as const) {
      webSocket.addEventListener(type, (event) => {
        this.dispatchEvent(
          type === 'message' ? new MessageEvent(type, { data: (event as MessageEvent).data }) : new Event(type),
        )
      })
    }
    webSocket.accept()
    this.dispatchEvent(new Event('open'))
  }

  close(code?: number): void {
    this.#socket?.close(code)
  }
}

const options: ClientOptions = {
  baseUrl: 'http://pilotlight.test/',
  key: 'pilotlight-dev',
  fetch: (input, init) => exports.default.fetch(new Request(input, init)),
  WebSocket: Socket as unknown as NonNullable<ClientOptions['WebSocket']>,
}
const tents = { provider: 'anthropic', model: 'claude-opus-5', system_prompt: 'You sell tents.' }

/** Reads the responses up to the end of the next turn. */
async function turnOf(responses: Responses<BotResponse>): Promise<BotResponse[]> {
  const heard: BotResponse[] = []
  const iterator = responses[Symbol.asyncIterator]()
  for (;;) {
    const { value, done } = await iterator.next()
    if (done === true) return heard
    heard.push(value)
    if (value.type === 'message' || value.type === 'failed') return heard
  }
}

async function errorOf(call: Promise<unknown>): Promise<PilotlightError> {
  const thrown: unknown = await call.then(
    () => null,
    (error: unknown) => error,
  )
  if (!(thrown instanceof PilotlightError)) throw new Error('no PilotlightError was thrown')
  return thrown
}

describe.each(['socket', 'events'] as const)('a bot heard by %s', (via) => {
  it('answers what was sent, as it is written and whole, in the shapes of the contract', async () => {
    const bot = await createBot(options, tents)
    const responses = await bot.responses({ via })
    const turn = await bot.send('Which tent for two?')
    const heard = await turnOf(responses)
    for (const one of heard) expect(botResponse.parse(one)).toEqual(one)
    const last = heard.at(-1)
    expect(last).toMatchObject({ type: 'message', turn_id: turn, complete: true, text: expect.stringMatching(/\S/) })
    const written = heard.flatMap((one) => (one.type === 'delta' ? [one.text] : []))
    expect(written.join('')).toBe(last?.type === 'message' ? last.text : null)
    responses.close()
  })

  it('is over when it is shut down, and says why it takes nothing more', async () => {
    const bot = await createBot(options, tents)
    const responses = await bot.responses({ via })
    expect(await bot.shutdown()).toMatchObject({ id: bot.id, status: 'shutdown' })
    const heard: BotResponse[] = []
    for await (const one of responses) heard.push(one)
    expect(heard).toEqual([expect.objectContaining({ type: 'ended', reason: 'shutdown' })])
    expect(await errorOf(bot.send('Still there?'))).toMatchObject({
      kind: 'conflict',
      status: 409,
      retryable: false,
      detail: { reason: 'shutdown' },
    })
  })

  it('cannot be heard where there is none, or with a wrong key', async () => {
    await expect(openBot(options, `bot_${'0'.repeat(24)}`).responses({ via })).rejects.toBeInstanceOf(PilotlightError)
    const { id } = await createBot(options, tents)
    await expect(openBot({ ...options, key: 'wrong' }, id).responses({ via })).rejects.toBeInstanceOf(PilotlightError)
  })
})

describe('a bot', () => {
  it('goes on from a snapshot that was taken while it ran', async () => {
    const bot = await createBot(options, tents)
    const responses = await bot.responses()
    await bot.send('Which tent for two?')
    await turnOf(responses)
    const snapshot = await bot.snapshot()
    expect((await bot.view()).status).toBe('running')
    const other = await resumeBot(options, snapshot, { idle_timeout: '1h' })
    expect(other.id).not.toBe(bot.id)
    expect(await other.view()).toMatchObject({ status: 'running', usage: { turns: 1 } })
    const forged = { ...snapshot, payload: snapshot.payload.replace('tents', 'boats') }
    expect(await errorOf(resumeBot(options, forged))).toMatchObject({ kind: 'invalid_request', status: 400 })
  })

  it('is paused in place, and resumed', async () => {
    const bot = await createBot(options, tents)
    const responses = await bot.responses()
    expect(await bot.pause()).toMatchObject({ status: 'paused' })
    await bot.send('Which tent for two?')
    expect(await bot.view()).toMatchObject({ status: 'paused', waiting: 1 })
    expect(await bot.resume()).toMatchObject({ status: 'running' })
    expect((await turnOf(responses)).at(-1)).toMatchObject({ type: 'message', finished: false })
  })

  it('gets a message once that is sent twice with one key', async () => {
    const bot = await createBot(options, tents)
    const [first, second] = [
      await bot.send('Hello', { idempotencyKey: 'k1' }),
      await bot.send('Hello', { idempotencyKey: 'k1' }),
    ]
    expect(second).toBe(first)
  })

  it('takes cache settings of one message, and tells what a required cache cost', async () => {
    const bot = await createBot(options, tents)
    const responses = await bot.responses()
    await bot.send('Which tent for two?', { cache: { mode: 'required' } })
    const failed = (await turnOf(responses)).at(-1)
    expect(botResponse.parse(failed)).toMatchObject({ type: 'failed', failure: { kind: 'cache_not_honoured' } })
    expect(failed).toMatchObject({ cost_usd: expect.any(Number), failure: { detail: { asked: '5m' } } })
    await bot.nextTurnCache('off')
    await bot.nextTurnCache(null)
    await bot.pause()
    await bot.send('Hello')
    expect(await errorOf(bot.send('Hello', { cache: 'off' }))).toMatchObject({ kind: 'conflict', status: 409 })
  })

  it('takes another cache request for its next turn', async () => {
    const bot = await createBot(options, tents)
    await bot.nextTurnCache('off')
    expect(await errorOf(bot.nextTurnCache({ breakpoints: 0 }))).toMatchObject({ kind: 'invalid_request' })
  })

  it('is gone after its deletion', async () => {
    const bot = await createBot(options, tents)
    await bot.erase()
    expect(await errorOf(bot.view())).toMatchObject({ kind: 'not_found', status: 404 })
  })

  it('is refused with the name of a wrong field', async () => {
    const refused = await errorOf(createBot(options, { ...tents, history_tokens: 3 }))
    expect(refused).toMatchObject({ kind: 'invalid_request', detail: { field: 'history_tokens' } })
    expect(refused.message).toContain('history_tokens')
  })

  it('behind a gateway that answers with a page: the failure has the status, not the page', async () => {
    const fetch = () => Promise.resolve(new Response('<html>secret</html>', { status: 502 }))
    const error = await errorOf(openBot({ ...options, fetch }, 'bot_1').view())
    expect(error).toMatchObject({ status: 502, retryable: true, message: 'HTTP 502 without a reason' })
  })
})
