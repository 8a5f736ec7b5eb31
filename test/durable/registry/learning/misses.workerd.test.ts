/** Misses of one account, found from hashes: double, late and parallel messages, evictions, and what an account allows. */
import { evictDurableObject } from 'cloudflare:test'
import { beforeEach, describe, expect, it } from 'vitest'
import { NO_COUNTS } from '../../../../src/core/model/usage.ts'
import { packedSketch } from '../../../../src/providers/diagnosis/sketch-text.ts'
import { sketchOf } from '../../../../src/providers/diagnosis/sketch.ts'
import { outlineOf } from '../../../../src/providers/prefix/outline.ts'
import type { MissSum } from '../../../../src/registration/misses/miss-sum.ts'
import type { PassedCall } from '../../../../src/registration/misses/passed-call.ts'
import { cardById } from '../../../../src/runtime/cards.ts'
import { factsOf } from '../../../../src/runtime/facts.ts'
import { registryAt } from '../../../../src/runtime/objects.ts'
import { anthropicBody, registrationOf } from '../../../support/registration.ts'
import { ADMIN, bindings, call, newAccount } from '../../../http/support.ts'

const AT = Date.parse('2026-11-30T12:00:00Z')
const DAY = '2026-11-30'

let id = ''
let key = ''
let messages = 0
beforeEach(async () => {
  ;({ id, key } = await newAccount())
})

const registry = () => registryAt(bindings, id)

interface Told {
  at: number
  /** What stands at the beginning of its system prompt. */
  first?: string
  read: number
  session?: string
  /** The rest of it, and what is asked. */
  fill?: string
  question?: string
  change?: Partial<PassedCall>
}

const INPUT = 6_000

/** A call of 6,000 tokens whose marked system prompt begins with `first`. */
function passed({ at, first = 'Be kind.', read, session = 's', change = {}, ...told }: Told): PassedCall {
  const { fill = 'The mill is old. ', question = 'Where?' } = told
  const card = cardById('anthropic')
  if (card === undefined) throw new Error('no card')
  const system = [{ type: 'text', text: `${first} ${fill.repeat(1_300)}`, cache_control: { type: 'ephemeral' } }]
  const text = JSON.stringify({ model: 'claude-opus-4-8', system, messages: [{ role: 'user', content: question }] })
  const outline = outlineOf(card, { text }, (model) => factsOf('anthropic', model, AT))
  const made = sketchOf(card, outline, { salt: 'salt', headers: {}, once: (_, make) => make() })
  if (made === null) throw new Error('no sketch')
  return {
    sketch: packedSketch(made),
    session,
    label: null,
    family: 'f',
    credential: 'c',
    model: 'claude-opus-4-8',
    retention: '5m',
    name: null,
    provider: 'anthropic',
    startedAt: AT + at,
    ttftMs: 500,
    prefix: null,
    usage: {
      ...NO_COUNTS,
      inputTokens: INPUT,
      uncachedTokens: 10,
      cacheReadTokens: read,
      cacheWriteTokens: INPUT - 10 - read,
      outputTokens: 9,
    },
    ...change,
  }
}

const say = (calls: PassedCall[], message = `m${messages++}`) =>
  registry().observeOnce([{ message, observed: [], calls }])

async function counted(): Promise<Record<string, number>> {
  const sums = (await registry().misses(DAY, DAY)) as MissSum[]
  return Object.fromEntries(sums.map(({ verdict, totals }) => [verdict, totals.count]))
}

const FULL = INPUT - 10
const WROTE = { at: 0, read: 0 }
const READ = { at: 60_000, read: FULL }

describe('misses of an account', () => {
  it('have a verdict, a path and exact nanos, and hits have none', async () => {
    await say([passed(WROTE), passed(READ)])
    expect(await counted()).toEqual({})
    await say([passed({ at: 120_000, read: 0, first: 'Be wise.' })])
    const [sum] = (await registry().misses(DAY, DAY)) as MissSum[]
    expect(sum).toMatchObject({ verdict: 'text_changed', name: null, day: DAY })
    expect(sum?.totals.last).toEqual({ at: AT + 120_000, prefix: null, path: 'system[0]' })
    // 5,990 tokens at $6.25 for a write of five minutes, less $0.50 for a read, a million.
    expect(sum?.totals).toMatchObject({ count: 1, lostTokens: 5_990, nanos: 5_990 * 5_750, unpriced: 0, unmeasured: 0 })
  })

  it('tell an expiry by the clock, and an eviction within the lifetime', async () => {
    await say([passed(WROTE), passed(READ), passed({ at: 20 * 60_000, read: 0 })])
    expect(await counted()).toEqual({ expired: 1 })
    await say([passed({ at: 21 * 60_000, read: FULL }), passed({ at: 22 * 60_000, read: 0 })])
    expect(await counted()).toEqual({ expired: 1, evicted: 1 })
  })

  it('count once, however often and in whatever objects their message comes', async () => {
    await say([passed(WROTE), passed(READ)])
    const missed = passed({ at: 120_000, read: 0, first: 'Be wise.' })
    await say([missed], 'twice')
    await evictDurableObject(bindings.REGISTRY.getByName(id))
    await say([missed], 'twice')
    expect(await counted()).toEqual({ text_changed: 1 })
  })

  it('are found by the table alone, after an eviction', async () => {
    await say([passed(WROTE), passed(READ)])
    await evictDurableObject(bindings.REGISTRY.getByName(id))
    await say([passed({ at: 120_000, read: 0, first: 'Be wise.' })])
    expect(await counted()).toEqual({ text_changed: 1 })
  })

  it('are told anew where a call comes late that had changed the text before', async () => {
    await say([passed(WROTE), passed(READ)])
    await say([passed({ at: 20 * 60_000, read: 0 })])
    expect(await counted()).toEqual({ expired: 1 })
    await say([passed({ at: 18 * 60_000, read: FULL })])
    expect(await counted()).toEqual({ evicted: 1 })
  })

  it('take a call of another session between the two for evidence, in whatever order they come', async () => {
    const renewing = passed({ at: 18 * 60_000, read: FULL, session: 'b', question: 'When?' })
    const missing = passed({ at: 20 * 60_000, read: 0 })
    await say([passed(WROTE), passed(READ), missing])
    expect(await counted()).toEqual({ expired: 1 })
    await say([renewing])
    expect(await counted()).toEqual({ evicted: 1 })
    ;({ id } = await newAccount())
    await say([passed(WROTE), passed(READ), renewing, missing])
    expect(await counted()).toEqual({ evicted: 1 })
    // What another text renewed is another entry.
    ;({ id } = await newAccount())
    const other = passed({ at: 18 * 60_000, read: 0, session: 'b', first: 'Be wise.' })
    await say([passed(WROTE), passed(READ), { ...other, usage: { ...other.usage, cacheReadTokens: FULL } }, missing])
    expect(await counted()).toEqual({ expired: 1 })
  })

  it('name calls that ran side by side, in whatever order they come', async () => {
    await say([passed({ at: 200, read: 0, session: 'b' })])
    expect(await counted()).toEqual({})
    await say([passed({ at: 0, read: 0, session: 'a' })])
    expect(await counted()).toEqual({ parallel_writes: 1 })
  })

  it('are told apart from helpers of the same session, whose bodies have nothing in common', async () => {
    const helper = { at: 90_000, read: 0, first: 'You name things.', fill: 'Names are short. ', question: 'Which?' }
    await say([passed(WROTE), passed(READ), passed(helper)])
    await say([passed({ at: 120_000, read: FULL })])
    expect(await counted()).toEqual({})
  })

  it('say unknown where two causes would each do', async () => {
    await say([passed(WROTE), passed(READ), passed({ at: 9 * 3_600_000, read: 0, first: 'Be wise.' })])
    expect(await counted()).toEqual({ unknown: 1 })
  })

  it('are not priced where a subscription pays, and not judged where counts are missing', async () => {
    const flat = { change: { flat: true as const } }
    await say([passed(WROTE), passed(READ), passed({ at: 120_000, read: 0, first: 'Be wise.', ...flat })])
    const [sum] = (await registry().misses(DAY, DAY)) as MissSum[]
    expect(sum?.totals).toMatchObject({ count: 1, nanos: 0, unpriced: 1, lostTokens: 5_990 })
    await say([passed({ at: 180_000, read: 0, first: 'Be sly.', change: { usage: NO_COUNTS } })])
    expect(await counted()).toEqual({ text_changed: 1 })
  })

  it('stand in the history of their prefix, once for a verdict', async () => {
    const registration = registrationOf('anthropic', anthropicBody('told'), null, null)
    const done = await registry().registerByUse({
      registration: { ...registration, lookups: [`e${id}-told`] },
      entries: [`e${id}-told`],
      arrival: { startedAt: Date.now(), ttftMs: null, usage: NO_COUNTS },
      candidate: null,
    })
    const change = { prefix: done?.id ?? '' }
    const missed = (at: number, first: string) => passed({ at, read: 0, first, change })
    await say([passed(WROTE), passed(READ), missed(120_000, 'Be wise.'), missed(180_000, 'Be sly.')])
    expect(await counted()).toEqual({ text_changed: 2 })
    const { json } = await call('GET', `/prefixes/${done?.id ?? ''}/history?type=decision`, undefined, { key })
    const rows = (json['data'] as { decision: string; why: string }[]).filter(({ decision }) => decision === 'missed')
    expect(rows).toHaveLength(1)
    expect(rows[0]?.why).toContain('First difference at system[0].')
  })

  it('need an account that takes part, and go with its prompts', async () => {
    await say([passed(WROTE), passed(READ)])
    await call('DELETE', `/accounts/${id}/prompts`, undefined, { key: ADMIN })
    await say([passed({ at: 120_000, read: 0, first: 'Be wise.' })])
    expect(await counted()).toEqual({})
    await call('PATCH', `/accounts/${id}`, { learn: 'off' }, { key: ADMIN })
    await say([passed({ at: 180_000, read: 0, first: 'Be sly.' })])
    expect(await counted()).toEqual({})
  })
})

describe('GET /misses', () => {
  const get = (query: string) => call('GET', `/misses${query}`, undefined, { key })
  const named = (name: string, at: number) =>
    passed({ at, read: 0, first: `Be ${name}${at}.`, change: { name, label: name } })

  it('sums by verdict, by label and by day, with dollars', async () => {
    await say([passed(WROTE), passed(READ), named('one', 120_000), named('two', 180_000), named('two', 86_400_000)])
    const span = '?from=2026-11-30&to=2026-12-01'
    const { json } = await get(span)
    const all = json['data'] as { count: number; cost_usd: number; verdict: string }[]
    expect(all.reduce((sum, { count }) => sum + count, 0)).toBe(3)
    const byName = (await get(`${span}&by=name`)).json['data'] as { name: string; count: number }[]
    expect(byName.map(({ name }) => name).toSorted()).toEqual(['one', 'two', 'two'])
    const byDay = (await get(`${span}&by=day`)).json['data'] as { day: string }[]
    expect(byDay.map(({ day }) => day)).toEqual(['2026-11-30', '2026-12-01'])
    expect(all.find(({ verdict }) => verdict === 'text_changed')).toMatchObject({
      count: 2,
      cost_usd: (2 * 5_990 * 5_750) / 1e9,
    })
    const { text } = await call('GET', '/metrics', undefined, { key })
    expect(text).toContain('pilotlight_diagnosed_misses_total{verdict="text_changed"} 2')
  })

  it('refuses what it does not know by its name', async () => {
    for (const [query, field] of [
      ['?by=month', 'by'],
      ['?from=yesterday', 'from'],
      ['?from=2026-12-02&to=2026-12-01', 'from'],
      ['?from=2024-01-01&to=2026-12-01', 'from'],
      ['?since=2026-12-01', 'since'],
    ] as const) {
      const { status, json } = await get(query)
      expect([status, JSON.stringify(json)]).toEqual([400, expect.stringContaining(field)])
    }
  })
})
