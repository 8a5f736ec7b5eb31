import { beforeEach, describe, expect, it } from 'vitest'
import type { Outcome } from '../../../../src/calls/lease.ts'
import type { Arrival } from '../../../../src/core/events/arrived.ts'
import { HOUR_MS, MINUTE_MS, SECOND_MS } from '../../../../src/core/time/time.ts'
import { factsOf } from '../../../../src/runtime/facts.ts'
import { anthropicBody, registrationOf } from '../../../support/registration.ts'
import { NOON, planned, usage } from '../../../support/sample.ts'
import { answered, testAccount } from '../../../support/account.ts'
import type { TestAccount } from '../../../support/account.ts'

/** What the answers about some prefixes teach about all others of the same model. */

const TOKENS = 10_000

let account: TestAccount

beforeEach(() => {
  account = testAccount({ facts: factsOf })
})

function register(tag: string, retention = '1h', model?: string): number {
  const given = registrationOf('anthropic', anthropicBody(tag), planned('always'), null)
  return account.registrar.register({ ...given, retention, ...(model === undefined ? {} : { model }) }, NOON).k
}

/** A call by request, which found the entry or had to write it. */
function call(k: number, at: number, found: boolean): void {
  const lease = account.leaseNow(k, at)
  const outcome: Outcome = found ? answered(lease, at, TOKENS, 0) : answered(lease, at, 0, TOKENS)
  account.scheduler.settle(lease.seq, [{ ...outcome, model: lease.model } as Outcome], at + SECOND_MS)
}

function real(k: number, at: number, found: boolean, bytes?: 'same'): void {
  const used = found ? usage(TOKENS, 0) : usage(0, TOKENS)
  const arrival: Arrival = { startedAt: at, usage: used, ttftMs: null, ...(bytes === undefined ? {} : { bytes }) }
  account.scheduler.observe(k, [arrival], at + SECOND_MS)
}

const beliefOf = (k: number, at: number) => account.registrar.viewByKey(k, at).belief
const AGE_MS = 30 * MINUTE_MS

/** Two prefixes that were found gone by real requests half an hour after each use, with bodies that prove it. */
function lose(ks: readonly number[], rounds: number): number {
  for (const k of ks) {
    call(k, NOON, false)
    real(k, NOON + MINUTE_MS, true)
  }
  let at = NOON + MINUTE_MS
  for (let round = 0; round < rounds; round++) {
    at += AGE_MS
    for (const k of ks) real(k, at, false, 'same')
  }
  return at
}

describe('losses of some prefixes', () => {
  it('lower the belief in another of that retention past the shorter one, and say why', () => {
    const other = register('other')
    const at = lose([register('a'), register('b')], 2)
    call(other, at, false)
    expect(beliefOf(other, at + 4 * MINUTE_MS)).toMatchObject({ state: 'warm' })
    expect(beliefOf(other, at + 4 * MINUTE_MS).pWarm).toBeGreaterThan(0.9)
    const later = beliefOf(other, at + AGE_MS)
    expect(later.state).toBe('unknown')
    expect(later.pWarm).toBeLessThan(0.1)
    expect(later.why).toContain('entries of this model were gone sooner of late')
    // The planner goes by receipts of the prefix itself.
    expect(later.warmUntil).toBe(at + HOUR_MS)
  })

  it('say nothing about another retention or another model', () => {
    const short = register('short', '5m')
    const large = register('large', '1h', 'claude-opus-4-8')
    const at = lose([register('a'), register('b')], 2)
    call(short, at, false)
    call(large, at, false)
    expect(beliefOf(short, at + 4 * MINUTE_MS).pWarm).toBeGreaterThan(0.95)
    expect(beliefOf(large, at + AGE_MS).pWarm).toBeGreaterThan(0.95)
  })

  it('that cannot be read any more are forgotten, and stop nothing', () => {
    const [a, b] = [register('a'), register('b')]
    const at = lose([a, b], 2)
    for (const row of ['{"half', 'null', '[["k",{}]]', '[["k",null]]', '[7]']) {
      account.store.saveSetting('lifetimes', row)
      account.evict()
      expect(beliefOf(a, at + MINUTE_MS).pWarm).toBeGreaterThan(0.5)
    }
    call(a, at + AGE_MS, false)
    expect(beliefOf(b, at + AGE_MS).pWarm).toBeGreaterThan(0)
  })

  it('are not forgotten when the object is evicted', () => {
    const other = register('other')
    const at = lose([register('a'), register('b')], 2)
    call(other, at, false)
    const before = beliefOf(other, at + AGE_MS)
    account.evict()
    expect(beliefOf(other, at + AGE_MS).pWarm).toBeCloseTo(before.pWarm, 2)
  })

  it('count only where a body proves that the request carried the prefix', () => {
    const other = register('other')
    const [a, b] = [register('a'), register('b')]
    for (const k of [a, b]) {
      call(k, NOON, false)
      real(k, NOON + MINUTE_MS, true)
      real(k, NOON + MINUTE_MS + AGE_MS, false)
    }
    const at = NOON + AGE_MS
    call(other, at, false)
    expect(beliefOf(other, at + AGE_MS).pWarm).toBeGreaterThan(0.95)
  })
})

describe('reads of real requests', () => {
  /** The belief in a prefix of the same model, after one loss and so many reads of another prefix late in its hour. */
  function after(reads: number): number {
    account = testAccount({ facts: factsOf })
    const [steady, other] = [register('steady'), register('other')]
    let at = lose([register('a')], 1)
    call(steady, at, false)
    for (let turn = 0; turn < reads; turn++) {
      at += 50 * MINUTE_MS
      real(steady, at, true)
    }
    call(other, at, false)
    return beliefOf(other, at + AGE_MS).pWarm
  }

  it('show that an hour is kept, so that one loss was no downgrade', () => {
    expect(after(3)).toBeGreaterThan(after(0) + 0.1)
  })
})

describe('an engine of two slots', () => {
  const engine = (tag: string) => {
    const given = registrationOf('anthropic', anthropicBody(tag), planned('always'), null)
    return account.registrar.register(
      { ...given, provider: 'llama-cpp', model: 'tiny', retention: 'implicit', primitives: ['one_token'] },
      NOON,
    ).k
  }

  /** A call whose answer reports no writes, as engines answer. */
  function ask(k: number, at: number, found: boolean): void {
    const lease = account.leaseNow(k, at)
    const outcome = answered(lease, at, found ? TOKENS : 24, 0, { model: 'tiny' })
    const used = { ...outcome.usage, inputTokens: TOKENS + 8, cacheWriteTokens: null }
    account.scheduler.settle(lease.seq, [{ ...outcome, usage: used }], at + SECOND_MS)
  }

  it('lowers the belief in a prefix as others are used after it, after a restart as well', () => {
    const ks = ['a', 'b', 'c'].map(engine)
    const [a, b, c] = ks as [number, number, number]
    let at = NOON
    // The first of two calls may have written it, and the second shows that.
    let held: number[] = []
    const turn = (k: number) => {
      for (const again of [false, true]) {
        at += MINUTE_MS / 4
        ask(k, at, again || held.includes(k))
      }
      held = [k, ...held.filter((one) => one !== k)].slice(0, 2)
    }
    for (let round = 0; round < 6; round++) for (const k of [a, b, a, c]) turn(k)
    turn(a)
    turn(b)
    const now = at + 10 * SECOND_MS
    const chances = () => [a, b, c].map((k) => beliefOf(k, now).pWarm)
    const [ofA, ofB, ofC] = chances() as [number, number, number]
    expect(ofA).toBeGreaterThan(0.7)
    expect(ofB).toBeGreaterThan(0.7)
    expect(ofC).toBeLessThan(0.2)
    account.evict()
    expect(chances()).toEqual([ofA, ofB, ofC])
  })
})
