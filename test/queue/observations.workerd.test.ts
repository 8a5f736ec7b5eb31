import { exports } from 'cloudflare:workers'
import { describe, expect, it } from 'vitest'
import { prefixAnswer } from '../../src/contract/prefix.ts'
import { NO_COUNTS } from '../../src/core/model/usage.ts'
import { sealedMessage } from '../../src/gateway/message/sealed.ts'
import { ObservationWindow } from '../../src/gateway/window.ts'
import type { ObservationMessage, Seen } from '../../src/gateway/observation.ts'
import { bodySeen } from '../../src/gateway/seen-ends.ts'
import { anthropicBody, bindings, get, useLab, warmedId } from '../http/support.ts'

useLab()

interface Handled {
  outcome: string
  retryMessages: unknown[]
  explicitAcks: string[]
}

const worker = exports.default as unknown as {
  queue: (name: string, messages: unknown[]) => Promise<Handled>
}

/** Delivers messages as the queue does, each with an id of the platform. */
const delivered = (bodies: readonly unknown[], attempts = 1): Promise<Handled> =>
  worker.queue(
    'pilotlight-observations',
    bodies.map((body, index) => ({ id: `m${index}-${attempts}`, timestamp: new Date(), attempts, body })),
  )

/** What a call with this body shows, sent without any registration's headers. */
function seen(body: object, more: Partial<Seen> = {}): Seen {
  const called = {
    provider: 'anthropic',
    region: null,
    model: null,
    headers: new Headers({ 'anthropic-version': '2023-06-01' }),
    text: JSON.stringify(body),
    credential: { name: 'default', generation: 1 },
  }
  const read = bodySeen(called, bindings, Date.now())
  if (read === null) throw new Error('the body was not read')
  const usage = { ...NO_COUNTS, inputTokens: 3_320, uncachedTokens: 20, cacheReadTokens: 3_300, cacheWriteTokens: 0 }
  return { account: 'dev', startedAt: Date.now(), usage, ttftMs: 40, ...read, ...more }
}

let isolates = 0
function packed(calls: readonly Seen[]): ObservationMessage {
  const window = new ObservationWindow(`test${isolates++}`)
  for (const call of calls) window.add(call, Date.now(), 0)
  const message = window.close(1, Date.now())
  if (message === null) throw new Error('the window was empty')
  return message
}

const counted = async (id: string): Promise<[hits: unknown, misses: unknown]> => {
  const { hits, misses } = (await get(`/prefixes/${id}`)).json
  return [hits, misses]
}

it('calls of many messages are booked at once, and a message that comes twice is booked once', async () => {
  const body = anthropicBody()
  const id = await warmedId(body)
  const asked = (n: number) => ({ ...body, messages: [{ role: 'user', content: `Question ${n}` }] })
  const miss = { ...NO_COUNTS, inputTokens: 3_320, uncachedTokens: 3_320, cacheReadTokens: 0, cacheWriteTokens: 0 }
  const messages = [
    packed([seen(asked(1)), seen(asked(2), { usage: miss }), seen(anthropicBody())]),
    packed([seen(asked(3)), seen(asked(4), { usage: NO_COUNTS })]),
  ]
  expect(await delivered([...messages, messages[0]])).toMatchObject({ outcome: 'ok', retryMessages: [] })
  expect(await counted(id)).toEqual([2, 1])
  await delivered([messages[1]], 2)
  await Promise.all([delivered([messages[0]], 3), delivered([messages[0]], 4)])
  expect(await counted(id)).toEqual([2, 1])
  await delivered([packed([seen(asked(5))])])
  expect(await counted(id)).toEqual([3, 1])
})

it('sealed messages are booked like those of before, and one that does not open is dropped', async () => {
  const body = anthropicBody()
  const id = await warmedId(body)
  const sealed = sealedMessage(packed([seen(body)]), bindings)
  const foreign = sealedMessage(packed([seen(body)]), { ADMIN_KEY: 'the key of another deployment' })
  const both = await delivered([sealed, foreign, packed([seen(body)])])
  expect(both).toMatchObject({ outcome: 'ok', retryMessages: [] })
  expect(both.explicitAcks).toHaveLength(3)
  expect(await counted(id)).toEqual([2, 0])
  await delivered([sealed], 2)
  expect(await counted(id)).toEqual([2, 0])
})

it('an answer of another model is told of its prefix, and proves nothing there', async () => {
  const body = anthropicBody()
  const id = await warmedId(body)
  await delivered([packed([seen(body, { served: 'claude-haiku-4-5' }), seen(body, { served: 'claude-haiku-4-5' })])])
  expect(await counted(id)).toEqual([0, 0])
  const { served_model: told, advice } = prefixAnswer.parse((await get(`/prefixes/${id}`)).json)
  expect(told).toMatchObject({ requests: { model: 'claude-haiku-4-5', answers: 2 }, probes: null })
  expect(advice.map(({ cause }) => cause)).toContain('other_model_served')
  await delivered([packed([seen(body, { served: true })])])
  expect(prefixAnswer.parse((await get(`/prefixes/${id}`)).json).served_model).toBeNull()
  expect(await counted(id)).toEqual([1, 0])
})

it('edits that lower what is read are told by the prefix, its history, the metrics', async () => {
  const body = anthropicBody()
  const id = await warmedId(body)
  const usage = (read: number) => ({
    ...NO_COUNTS,
    inputTokens: 4_000,
    uncachedTokens: 4_000 - read,
    cacheReadTokens: read,
  })
  const calls = (arm: 'edited' | 'plain', read: number) =>
    Array.from({ length: 16 }, (_, session) =>
      seen(body, { usage: usage(read + session), edit: { arm, model: String(body.model), session } }),
    )
  const rounds = Array.from({ length: 13 }, () => [...calls('edited', 100), ...calls('plain', 3_300)])
  const shown = async () => prefixAnswer.parse((await get(`/prefixes/${id}`)).json).edits
  expect(await shown()).toBeNull()
  const messages = rounds.map(packed)
  await delivered(messages.slice(0, 12))
  expect(await shown()).toMatchObject({ unedited: { calls: 192 }, stopped_at: null })
  await delivered(messages)
  expect(await shown()).toMatchObject({
    edited: { calls: 208 },
    unedited: { calls: 208 },
    stopped_at: expect.any(String),
  })
  expect((await get(`/prefixes/${id}/history?type=decision`)).text.split('"edits_stopped"')).toHaveLength(2)
  expect((await get('/metrics')).text).toMatch(/^pilotlight_edits_stopped 1$/m)
})

it('a late message moves no clock back', async () => {
  const body = anthropicBody()
  const id = await warmedId(body)
  await delivered([packed([seen(body)])])
  const before = (await get(`/prefixes/${id}`)).json['warmth']
  await delivered([packed([seen(body, { startedAt: Date.now() - 3_600_000 })])])
  const after = (await get(`/prefixes/${id}`)).json['warmth']
  expect(await counted(id)).toEqual([2, 0])
  expect(after).toMatchObject({ state: 'warm', warm_until: (before as { warm_until: string }).warm_until })
})

it('a call with another key, model or credential belongs to no prefix of this one', async () => {
  const body = anthropicBody()
  const id = await warmedId(body)
  const other = seen({ ...body, model: 'claude-haiku-4-5' })
  const called = {
    provider: 'anthropic',
    region: null,
    model: null,
    headers: new Headers(),
    text: JSON.stringify(body),
  }
  const token = bodySeen({ ...called, credential: { name: 'subscription', generation: 0 } }, bindings, Date.now())
  await delivered([packed([other, seen(body, { ends: token?.ends ?? [] })])])
  expect(token?.ends.length).toBeGreaterThan(0)
  expect(await counted(id)).toEqual([0, 0])
})

it('a message of another version is dropped, and one for an account that is gone is none', async () => {
  const gone = packed([seen(anthropicBody(), { account: 'never-made' })])
  expect(await delivered([{ v: 9 }, 'x', null, gone])).toMatchObject({ outcome: 'ok', retryMessages: [] })
})

describe('a parent whose child works', () => {
  let families = 0
  /** A parent whose plan rests because nobody returns to its session, and its own way to name itself. */
  async function resting(): Promise<{ id: string; lead: string; body: object; waits: () => Promise<unknown> }> {
    const body = { ...anthropicBody(), system: [{ type: 'text', text: `Family ${++families}. `.repeat(2_000) }] }
    const id = await warmedId(body, { keep_warm: { plan: 'auto' } })
    const lead = `lead-${families}`
    const startedAt = Date.now()
    const agents = { self: lead, parent: null, endedAt: startedAt + 500 }
    await delivered([packed([seen(body, { startedAt, lifetime: 'one_shot', agents })])])
    const waits = async (): Promise<unknown> => {
      const { signal, plan } = prefixAnswer.parse((await get(`/prefixes/${id}`)).json)
      return signal === null ? plan.stopped?.reason : { signal, next: plan.next_probe_at !== null }
    }
    expect(await waits()).toBe('one_shot')
    return { id, lead, body, waits }
  }
  /** A call of a child, whose body belongs to no prefix. */
  const child = (parent: string, more: Partial<Seen> = {}, self = 'child'): Seen => {
    const startedAt = more.startedAt ?? Date.now()
    const agents = { self, parent, endedAt: startedAt + 800 }
    return seen(
      { ...anthropicBody(), model: 'claude-haiku-4-5', system: `Of ${parent}` },
      { agents, ...more, startedAt },
    )
  }

  it('is held from the first call of the child until five minutes after its last', async () => {
    const { lead, waits, body, id } = await resting()
    const first = child(lead)
    await delivered([packed([first])])
    const until = (call: Seen): string => new Date((call.agents?.endedAt ?? 0) + 300_000).toISOString()
    expect(await waits()).toMatchObject({ signal: { kind: 'pending', child: true, until: until(first) }, next: true })
    const last = child(lead)
    await delivered([packed([last]), packed([first])])
    expect(await waits()).toMatchObject({ signal: { until: until(last) }, next: true })
    const history = (await get(`/prefixes/${id}/history?type=decision`)).text
    expect(history.split('"signal:pending"')).toHaveLength(2)
    await delivered([packed([seen(body, { startedAt: Date.now(), lifetime: 'one_shot' })])])
    expect(await waits()).toBe('one_shot')
    // A call that is told late, and twice, holds nobody who has come back.
    await delivered([packed([last]), packed([first])])
    expect(await waits()).toBe('one_shot')
  })

  it('is held for the child of its child too, in the same message', async () => {
    const { lead, waits } = await resting()
    const middle = child(lead, { startedAt: Date.now() - 400_000 }, `${lead}-a`)
    await delivered([packed([middle])])
    expect(await waits()).toBe('one_shot')
    await delivered([packed([child(`${lead}-a`, {}, `${lead}-b`)])])
    expect(await waits()).toMatchObject({ signal: { child: true }, next: true })
  })

  it('is not held by the child of another, one that nobody knows, or a call that ended long ago', async () => {
    const [one, other] = [await resting(), await resting()]
    await delivered([
      packed([child(other.lead), child('nobody'), child(one.lead, { startedAt: Date.now() - 301_000 })]),
    ])
    expect(await one.waits()).toBe('one_shot')
    expect(await other.waits()).toMatchObject({ signal: { child: true } })
  })
})
