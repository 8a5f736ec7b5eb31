import { evictDurableObject } from 'cloudflare:test'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { bindings, call, get, pick, post, received, useLab } from '../support.ts'
import type { Answer } from '../support.ts'
import { begin, ended, objectOf, openai } from './support.ts'

const world = useLab()

afterEach(() => {
  vi.useRealTimers()
  vi.restoreAllMocks()
})

const keyed = () => ({ headers: { 'idempotency-key': `key-${crypto.randomUUID()}` } })

/** Sends a message whose answer is not waited for. */
const send = (id: string, text: string, options: ReturnType<typeof keyed>): Promise<Answer> =>
  post(`/bots/${id}/messages`, { text }, options)

/** Turns of a bot, oldest first, once none of them waits. */
async function turnsOf(id: string): Promise<string[]> {
  await expect.poll(async () => pick(await get(`/bots/${id}`), 'waiting'), { timeout: 60_000 }).toBe(0)
  const history = pick(await get(`/bots/${id}`), 'history') as { event?: string; what: string }[]
  return history.flatMap(({ event, what }) => (event === undefined || what === 'retried' ? [] : [event]))
}

/** Stubs of a namespace that lose the answers of a method; with `unsent`, its calls do not arrive. */
function loseAnswers(namespace: 'BOT' | 'REGISTRY', method: string, unsent = false): void {
  const real = bindings[namespace].getByName.bind(bindings[namespace])
  vi.spyOn(bindings[namespace], 'getByName').mockImplementation(((name: string) => {
    const stub = real(name) as unknown as Record<string, (...given: unknown[]) => Promise<unknown>>
    return new Proxy(stub, {
      get(target, member: string) {
        return async (...given: unknown[]) => {
          // Stubs answer by value: the method is the first argument of `answer`.
          const isLost = member === 'answer' && given[0] === method
          const answer = isLost && unsent ? undefined : await target[member]?.(...given)
          if (isLost) throw new Error('the connection was lost')
          return answer
        }
      },
    })
  }) as never)
}

describe('a message with an idempotency key', () => {
  it('is one turn, however often it is sent, and has one answer', async () => {
    const id = await begin(openai)
    const options = keyed()
    const first = await send(id, 'Which tent for two?', options)
    expect(first.status).toBe(202)
    const again = await send(id, 'Which tent for two?', options)
    expect([again.status, again.json, again.headers.get('idempotent-replayed')]).toEqual([202, first.json, 'true'])
    await ended(id, String(pick(first, 'turn_id')))
    expect((await send(id, 'Which tent for two?', options)).json).toEqual(first.json)
    expect(await turnsOf(id)).toEqual([pick(first, 'turn_id')])
    expect(received(world.lab)).toHaveLength(1)
  })

  it('is refused with another body, and changes nothing', async () => {
    const id = await begin(openai)
    const options = keyed()
    const first = await send(id, 'Which tent for two?', options)
    const other = await send(id, 'Which stove?', options)
    expect([other.status, other.json]).toMatchObject([
      409,
      { error: { kind: 'conflict', detail: { field: 'idempotency-key' } } },
    ])
    expect(await turnsOf(id)).toEqual([pick(first, 'turn_id')])
  })

  it('is one turn where the answer of the bot was lost after it had stored it', async () => {
    const id = await begin(openai)
    const options = keyed()
    loseAnswers('BOT', 'emit')
    expect((await send(id, 'Which tent for two?', options)).status).toBe(500)
    vi.restoreAllMocks()
    const again = await send(id, 'Which tent for two?', options)
    expect([again.status, again.headers.get('idempotent-replayed')]).toEqual([202, null])
    expect(await turnsOf(id)).toEqual([pick(again, 'turn_id')])
    const other = keyed()
    loseAnswers('BOT', 'emit')
    await send(id, 'Which stove?', other)
    vi.restoreAllMocks()
    expect((await send(id, 'Which mat?', other)).status).toBe(409)
  })

  it('is one turn where the Worker ended before its answer was stored, also after an eviction', async () => {
    const id = await begin(openai)
    const options = keyed()
    loseAnswers('REGISTRY', 'finishIdempotent', true)
    expect((await send(id, 'Which tent for two?', options)).status).toBe(500)
    vi.restoreAllMocks()
    const turns = await turnsOf(id)
    expect(turns).toHaveLength(1)
    await evictDurableObject(objectOf(id))
    expect((await send(id, 'Which tent for two?', options)).status).toBe(429) // the first may still run
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 121_000 })
    const again = await send(id, 'Which tent for two?', options)
    expect([again.status, pick(again, 'turn_id')]).toEqual([202, turns[0]])
    expect(await turnsOf(id)).toEqual(turns)
  })

  it('is refused while the first is in flight, and answered as the first afterwards', async () => {
    const id = await begin(openai)
    const options = keyed()
    const path = `/bots/${id}/messages`
    const { promise: held, resolve: release } = Promise.withResolvers<void>()
    const real = bindings.BOT.getByName.bind(bindings.BOT)
    vi.spyOn(bindings.BOT, 'getByName').mockImplementationOnce(((name: string) => {
      const stub = real(name) as unknown as Record<string, (...given: unknown[]) => Promise<unknown>>
      return new Proxy(stub, {
        get:
          (target, member: string) =>
          async (...given: unknown[]) => {
            await held
            return target[member]?.(...given)
          },
      })
    }) as never)
    const first = post(path, { text: 'Which tent for two?' }, options)
    await expect.poll(() => vi.mocked(bindings.BOT.getByName).mock.calls.length).toBe(1)
    const second = await post(path, { text: 'Which tent for two?' }, options)
    expect([second.status, second.headers.get('retry-after')]).toEqual([429, '1'])
    release()
    const { json } = await first
    expect((await post(path, { text: 'Which tent for two?' }, options)).json).toEqual(json)
    expect(await turnsOf(id)).toHaveLength(1)
  })

  it('is known by the bot also after its end, and is a new one after a day', async () => {
    const id = await begin(openai)
    const options = keyed()
    loseAnswers('BOT', 'emit')
    await send(id, 'Which tent for two?', options)
    vi.restoreAllMocks()
    const [turn] = await turnsOf(id)
    await call('POST', `/bots/${id}/pause`, {})
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 24 * 3_600_000 })
    const later = await send(id, 'Which tent for two?', options)
    expect([later.status, pick(later, 'turn_id') === turn]).toEqual([202, false])
    await call('DELETE', `/bots/${id}`)
    expect((await send(id, 'Which tent for two?', options)).json).toEqual(later.json)
    expect((await send(id, 'Which stove?', keyed())).status).toBe(409)
  })

  it('of an unknown bot is not found, and stores nothing there', async () => {
    const unknown = `bot_${'0'.repeat(24)}`
    const event = { type: 'message', data: { text: 'Hello' } }
    for (const [path, body] of [
      ['messages', { text: 'Hello' }],
      ['events', event],
    ] as const) {
      expect((await post(`/bots/${unknown}/${path}`, body, keyed())).status).toBe(404)
    }
  })
})
