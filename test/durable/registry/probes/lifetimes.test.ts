import { FINDINGS_A_SAVE, MOST_KEPT } from '../../../../src/durable/registry/probes/lifetimes.ts'
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
    const cell = (text: string) => account.sql.all('UPDATE lifetime SET known = ?', text)
    for (const row of ['{"half', 'null', '7', '{}', '[]', '{"limits":[]}']) {
      cell(row)
      account.evict()
      expect(beliefOf(a, at + MINUTE_MS).pWarm).toBeGreaterThan(0.5)
    }
    for (const row of ['{"half', 'null', '[["k",{}]]', '[["k",null]]', '[7]', '[["[1]",{"limits":[],"used":[]}]]']) {
      account.store.saveSetting('lifetimes', row)
      account.evict()
      expect(beliefOf(a, at + MINUTE_MS).pWarm).toBeGreaterThan(0.5)
      expect(account.store.setting('lifetimes')).toBeNull()
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
    for (const [index, chance] of chances().entries()) expect(chance).toBeCloseTo([ofA, ofB, ofC][index]!, 1)
  })

  it('writes one small row where an answer tells something, and none for a use alone', () => {
    const ks = ['a', 'b', 'c'].map(engine)
    let at = NOON
    const rows = () => account.store.lifetimes.all().length
    const known = () => JSON.stringify(account.store.lifetimes.all())
    const ask2 = (k: number, found: boolean) => ask(k, (at += MINUTE_MS / 4), found)
    for (const k of ks) for (const found of [false, true]) ask2(k, found)
    expect(rows()).toBe(1)
    for (let turn = 0; turn < 60; turn++) ask2(ks[0]!, true)
    const before = known()
    let writes = 0
    for (let turn = 0; turn < 60; turn++) {
      const last = known()
      ask2(ks[turn % 2]!, true)
      if (known() !== last) writes += 1
    }
    // Two prompts in turn are told apart from one slot by the first few reads.
    expect(known()).not.toBe(before)
    expect(writes).toBeLessThan(12)
    expect(known().length).toBeLessThan(4_096)
    const calm = known()
    for (const found of [false, true]) ask2(ks[2]!, found)
    expect(known()).not.toBe(calm)
  })
})

/** A keep-alive's worth of evidence about prefixes of one model: found after two minutes, gone after four and a half. */
function early(k: number, rounds: number, from = NOON): number {
  let at = from
  call(k, at, false)
  for (let round = 0; round < rounds; round++) {
    call(k, (at += 2 * MINUTE_MS), true)
    call(k, (at += 4.5 * MINUTE_MS), false)
  }
  return at
}

const curves = () => account.scheduler.lifetimes(NOON + HOUR_MS)

describe('the curve of a model', () => {
  it('counts calls of ours that found a warm entry, and that had to write it again', () => {
    early(register('a', '5m'), 6)
    const [view] = curves()
    expect(view).toMatchObject({ provider: 'anthropic', retention: '5m', size: 1, curve: { basis: 'size' } })
    expect(view?.curve.bands.map(({ samples, readable }) => [samples, readable])).toEqual([
      [0, 0],
      [6, 6],
      [0, 0],
      [0, 0],
      [6, 0],
    ])
  })

  it('counts real requests in both cases or in neither: with a body that proves the prefix', () => {
    const k = register('a', '5m')
    call(k, NOON, false)
    real(k, NOON + MINUTE_MS, true)
    real(k, NOON + 2 * MINUTE_MS, true)
    expect(curves()).toEqual([])
    real(k, NOON + 3 * MINUTE_MS, true, 'same')
    real(k, NOON + 7 * MINUTE_MS, false, 'same')
    const bands = curves()[0]?.curve.bands.map(({ samples, readable }) => [samples, readable])
    expect(bands).toEqual([
      [1, 1],
      [0, 0],
      [0, 0],
      [1, 0],
      [0, 0],
    ])
  })

  it('does not count what another cause can explain', () => {
    // Its time had passed; nothing was known of it; the call before shows a drift or left it open; another model answered.
    const late = register('late', '5m')
    call(late, NOON, false)
    call(late, NOON + 6 * MINUTE_MS, false)
    const suspect = register('suspect', '5m')
    call(suspect, NOON, false)
    real(suspect, NOON + MINUTE_MS, false)
    call(suspect, NOON + 4 * MINUTE_MS, true)
    const elsewhere = register('elsewhere', '5m')
    call(elsewhere, NOON, false)
    const lease = account.leaseNow(elsewhere, NOON + 3 * MINUTE_MS)
    account.scheduler.settle(
      lease.seq,
      [answered(lease, NOON + 3 * MINUTE_MS, 0, TOKENS, { model: 'another-model' })],
      NOON + 4 * MINUTE_MS,
    )
    expect(curves()).toEqual([])
  })

  it('brings forward the keep-alives of other prefixes of its size, and of no other retention', () => {
    const dueAfter = (k: number, at: number) => {
      call(k, at, false)
      return (account.scheduler.look(k, at + SECOND_MS)?.state.nextAt ?? 0) - at
    }
    const usual = dueAfter(register('before', '5m'), NOON)
    let at = NOON
    for (const tag of ['a', 'b', 'c']) at = early(register(tag, '5m'), 8, NOON)
    expect(usual).toBeGreaterThan(4.4 * MINUTE_MS)
    expect(dueAfter(register('after', '5m'), at)).toBeLessThan(2 * MINUTE_MS)
    expect(dueAfter(register('hour', '1h'), at)).toBeGreaterThan(50 * MINUTE_MS)
    account.evict()
    expect(dueAfter(register('restarted', '5m'), at)).toBeLessThan(2 * MINUTE_MS)
    // A month without evidence, and the retention is tried again.
    expect(dueAfter(register('later', '5m'), at + 30 * 24 * HOUR_MS)).toBe(usual)
  })

  it('lowers the belief at the ages where entries were gone, and there alone', () => {
    let at = NOON
    for (const tag of ['a', 'b', 'c']) at = early(register(tag, '5m'), 8, NOON)
    const other = register('other', '5m')
    call(other, at, false)
    expect(beliefOf(other, at + 1.5 * MINUTE_MS)).toMatchObject({ state: 'warm' })
    expect(beliefOf(other, at + 1.5 * MINUTE_MS).pWarm).toBeGreaterThan(0.85)
    expect(beliefOf(other, at + 4.5 * MINUTE_MS)).toMatchObject({ state: 'unknown' })
    expect(beliefOf(other, at + 4.5 * MINUTE_MS).pWarm).toBeLessThan(0.2)
  })

  it('is kept of the models that taught something last, as many as there is room for', () => {
    account = testAccount()
    for (let model = 0; model < MOST_KEPT + 3; model++) {
      const k = register(`one-${model}`, '5m', `model-${model}`)
      call(k, NOON + model, false)
      call(k, NOON + model + 2 * MINUTE_MS, false)
    }
    const kept = account.store.lifetimes.all().map(({ model }) => model)
    expect(kept).toHaveLength(MOST_KEPT)
    expect(kept).not.toContain('model-2')
    expect(kept).toContain(`model-${MOST_KEPT + 2}`)
    expect(account.scheduler.lifetimes(NOON + HOUR_MS).length).toBeLessThanOrEqual(MOST_KEPT)
  })

  it('writes nothing where an answer tells nothing new, until there are enough of them', () => {
    const k = register('a', '5m')
    call(k, NOON, false)
    const rows = () => account.store.lifetimes.all()
    for (let turn = 1; turn < FINDINGS_A_SAVE; turn++) call(k, NOON + turn * MINUTE_MS, true)
    expect(rows()).toEqual([])
    call(k, NOON + FINDINGS_A_SAVE * MINUTE_MS, true)
    expect(rows()).toMatchObject([
      { model: 'claude-sonnet-4-5', lifetimes: { at: NOON + FINDINGS_A_SAVE * MINUTE_MS } },
    ])
  })

  it('takes over what an older version kept in one setting, and goes on with it', () => {
    const other = register('other')
    const at = lose([register('a'), register('b')], 2)
    call(other, at, false)
    const before = beliefOf(other, at + AGE_MS)
    const old = account.store.lifetimes.all().map(({ provider, model, retention, lifetimes }) => {
      const { curve: _later, ...known } = lifetimes
      return [JSON.stringify([provider, model, retention]), known]
    })
    account.sql.all('DELETE FROM lifetime')
    account.store.saveSetting('lifetimes', JSON.stringify(old))
    account.evict()
    expect(account.store.setting('lifetimes')).toBeNull()
    expect(account.store.lifetimes.all()).toHaveLength(old.length)
    expect(beliefOf(other, at + AGE_MS).pWarm).toBeCloseTo(before.pWarm, 2)
  })
})
