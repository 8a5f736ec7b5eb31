import { describe, expect, it } from 'vitest'
import { chanceOf, distanceOf, learnt, newLifetimes, usedAt } from '../../../src/core/cache/lifetimes.ts'
import type { Lifetimes } from '../../../src/core/cache/lifetimes.ts'
import type { RetentionOffer } from '../../../src/core/model/facts.ts'
import type { Losses } from '../../../src/core/prefix/parts.ts'
import { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS } from '../../../src/core/time/time.ts'
import { assumed, fiveMinutes, NOON } from '../../support/sample.ts'

const hour: RetentionOffer = { ...fiveMinutes, name: '1h', ttlMs: HOUR_MS, minTtlMs: HOUR_MS, maxTtlMs: HOUR_MS }
const OFFERS = [fiveMinutes, hour]

/** A model, and two of its prefixes that are found or not in turn. */
class Model {
  known: Lifetimes
  now = NOON
  readonly own = new Map<number, Losses>()

  constructor(known: Lifetimes) {
    this.known = known
  }

  find(found: boolean, ageMs: number, k = 1): this {
    this.now += ageMs
    const distance = distanceOf(this.known, k, this.now - ageMs, this.now, true)
    const after = learnt(this.known, this.own.get(k), distance, { at: this.now, ageMs, found }, 10_000)
    this.own.set(k, after.own)
    this.known = usedAt(after.model, k, this.now)
    return this
  }

  times(count: number, work: (turn: number) => void): this {
    for (let turn = 0; turn < count; turn++) work(turn)
    return this
  }

  chance(ageMs: number, k?: number): number {
    return chanceOf(this.known, { least: ageMs, most: ageMs }, ageMs, k === undefined ? undefined : this.own.get(k))
  }
}

const stated = (offer = hour) => new Model(newLifetimes(offer, OFFERS))

describe('the odds of limits', () => {
  it('stay a distribution after many losses and a find far beyond all of them', () => {
    const model = new Model(newLifetimes(assumed, [assumed]))
    model.times(200, () => void model.find(false, SECOND_MS)).find(true, 30 * DAY_MS)
    expect(model.known.limits.reduce((sum, [, odds]) => sum + odds, 0)).toBeCloseTo(1)
    expect(model.chance(MINUTE_MS)).toBeGreaterThanOrEqual(0)
  })
})

describe('the chance of an entry before its stated time', () => {
  it('is high without evidence, and falls with the time since its last use', () => {
    expect(stated().chance(0)).toBe(1)
    expect(stated().chance(58 * MINUTE_MS)).toBeGreaterThan(0.95)
    expect(stated().chance(58 * MINUTE_MS)).toBeLessThan(stated().chance(4 * MINUTE_MS))
  })

  it('follows the share of entries that were evicted', () => {
    const model = stated(fiveMinutes)
    model.times(700, (turn) => model.find(turn % 7 !== 0, 4 * MINUTE_MS))
    expect(model.chance(4 * MINUTE_MS)).toBeCloseTo(6 / 7, 1)
    expect(model.chance(2 * MINUTE_MS)).toBeCloseTo(Math.sqrt(model.chance(4 * MINUTE_MS)), 3)
  })

  it('forgets evictions that came no more', () => {
    const model = stated(fiveMinutes)
    model.times(40, () => model.find(false, 4 * MINUTE_MS))
    expect(model.chance(4 * MINUTE_MS)).toBeLessThan(0.5)
    model.times(1_000, () => model.find(true, 4 * MINUTE_MS))
    expect(model.chance(4 * MINUTE_MS)).toBeGreaterThan(0.97)
  })

  it('is lower for the prefix that is evicted than for others of the same model', () => {
    const model = stated(fiveMinutes)
    model.times(20, (turn) => model.find(turn % 2 === 0, 4 * MINUTE_MS, 1).find(true, 4 * MINUTE_MS, 2))
    expect(model.chance(4 * MINUTE_MS, 1)).toBeLessThan(model.chance(4 * MINUTE_MS, 2) - 0.1)
  })
})

describe('an untold downgrade', () => {
  const found = (model: Model, count: number) =>
    model.times(count, (turn) => model.find(true, 58 * MINUTE_MS, turn % 2))

  it('is a suspicion after one loss, and believed after a second, of whichever prefix', () => {
    const model = found(stated(), 50)
    model.find(false, 58 * MINUTE_MS, 1)
    const once = model.chance(30 * MINUTE_MS)
    expect(once).toBeGreaterThan(0.1)
    expect(once).toBeLessThan(0.9)
    model.find(false, 58 * MINUTE_MS, 2)
    expect(model.chance(30 * MINUTE_MS)).toBeLessThan(Math.min(0.3, once / 2))
  })

  it('leaves the time up to the shorter retention as sure as before', () => {
    const model = found(stated(), 50)
    const before = model.chance(4 * MINUTE_MS)
    model.times(6, (turn) => model.find(false, 58 * MINUTE_MS, turn % 2))
    expect(model.chance(4 * MINUTE_MS)).toBeGreaterThan(before - 0.02)
    expect(model.chance(6 * MINUTE_MS)).toBeLessThan(0.02)
  })

  it('is over when entries are found again past the shorter retention', () => {
    const model = found(stated(), 10)
    model.times(4, () => model.find(false, 58 * MINUTE_MS))
    model.times(4, () => model.find(true, 58 * MINUTE_MS))
    expect(model.chance(30 * MINUTE_MS)).toBeGreaterThan(0.9)
  })

  it('is not what short gaps speak of: they fit both retentions', () => {
    const model = stated()
    const odds = model.known.limits
    model.times(100, () => model.find(true, MINUTE_MS))
    const change = Math.abs((model.known.limits[0]?.[1] ?? 0) - (odds[0]?.[1] ?? 0))
    expect(change).toBeLessThan(0.02)
  })

  it('is thought possible again after a long time without answers', () => {
    const model = found(stated(), 50)
    const soon = model.chance(30 * MINUTE_MS)
    model.now += 7 * DAY_MS
    model.find(false, 58 * MINUTE_MS)
    expect(model.chance(30 * MINUTE_MS)).toBeLessThan(soon - 0.5)
  })

  it('has no meaning where the model has no shorter retention, or states none', () => {
    expect(newLifetimes(fiveMinutes, OFFERS).limits).toHaveLength(1)
    expect(newLifetimes(assumed, OFFERS).limits).toHaveLength(1)
  })
})

describe('an engine that holds few prompts', () => {
  const engine = () => new Model(newLifetimes(assumed, [assumed], true))
  const chanceAfter = (model: Model, others: number) =>
    chanceOf(model.known, { least: others, most: others }, MINUTE_MS)

  it('is thought to hold many before the first loss', () => {
    expect(chanceAfter(engine(), 0)).toBeGreaterThan(0.95)
    expect(chanceAfter(engine(), 40)).toBeGreaterThan(0.4)
  })

  it('is found to have two slots by what it holds: the last two prompts', () => {
    let known = newLifetimes(assumed, [assumed], true)
    let held: number[] = []
    const lastAt = new Map<number, number>()
    const order = Array.from({ length: 6 }, () => [1, 2, 1, 3]).flat()
    order.forEach((k, turn) => {
      const at = NOON + turn * MINUTE_MS
      const since = lastAt.get(k)
      if (since !== undefined) {
        const distance = distanceOf(known, k, since, at, true)
        known = learnt(known, undefined, distance, { at, ageMs: at - since, found: held.includes(k) }, 10_000).model
      }
      held = [k, ...held.filter((one) => one !== k)].slice(0, 2)
      lastAt.set(k, at)
      known = usedAt(known, k, at)
    })
    expect(chanceAfter(new Model(known), 1)).toBeGreaterThan(0.9)
    expect(chanceAfter(new Model(known), 2)).toBeLessThan(0.1)
  })

  it('counts each other prefix once, and itself never', () => {
    let known = newLifetimes(assumed, [assumed], true)
    for (const [k, at] of [
      [1, 10],
      [2, 20],
      [3, 30],
      [2, 40],
      [1, 50],
      [2, 15],
    ])
      known = usedAt(known, k!, NOON + at! * MINUTE_MS)
    expect(known.used.map(([k]) => k)).toEqual([1, 2, 3])
    const since = NOON + 25 * MINUTE_MS
    expect(distanceOf(known, 3, since, NOON + HOUR_MS)).toEqual({ least: 2, most: 2 })
    expect(distanceOf(known, 4, since, NOON + HOUR_MS)).toEqual({ least: 3, most: 3 })
  })

  it('does not know the order of prompts that were sent at once', () => {
    let known = newLifetimes(assumed, [assumed], true)
    known = usedAt(usedAt(known, 1, NOON), 2, NOON + SECOND_MS)
    expect(distanceOf(known, 1, NOON, NOON + MINUTE_MS)).toEqual({ least: 0, most: 1 })
    expect(distanceOf(known, 2, NOON + SECOND_MS, NOON + MINUTE_MS)).toEqual({ least: 0, most: 1 })
    known = usedAt(known, 3, NOON + MINUTE_MS)
    expect(distanceOf(known, 1, NOON - MINUTE_MS, NOON + MINUTE_MS, true)).toEqual({ least: 1, most: 2 })
  })

  it('remembers no more prefixes than slots can matter', () => {
    let known = newLifetimes(assumed, [assumed], true)
    for (let k = 1; k <= 500; k++) known = usedAt(known, k, NOON + k)
    expect(known.used.length).toBeLessThan(40)
    expect(known.used[0]).toEqual([500, NOON + 500])
  })
})

it('a model whose limit is a time remembers no prefixes', () => {
  const known = newLifetimes(hour, OFFERS)
  expect(usedAt(known, 1, NOON)).toBe(known)
})
