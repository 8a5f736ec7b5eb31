import { describe, expect, it } from 'vitest'
import { ttlAfter, ttlReceipt } from '../../../src/core/cache/ttl.ts'
import type { TtlCall } from '../../../src/core/cache/ttl.ts'
import type { TtlSeen } from '../../../src/core/model/ttl-seen.ts'
import { NO_COUNTS } from '../../../src/core/model/usage.ts'
import { MINUTE_MS } from '../../../src/core/time/time.ts'
import { cardById } from '../../../src/runtime/cards.ts'
import { factsOf } from '../../../src/runtime/facts.ts'

const { retentions: offers } = factsOf('anthropic', 'claude-opus-4-8', Date.parse('2026-12-01'))
const wrote = (name: string, tokens = 2_000) => ({
  ...NO_COUNTS,
  inputTokens: tokens,
  cacheReadTokens: 0,
  cacheWriteTokens: tokens,
  cacheWriteByRetention: { [name]: tokens },
})
const call = (more: Partial<TtlCall> = {}): TtlCall => ({
  by: 'requests',
  at: 1_000,
  usage: wrote('5m'),
  sent: '1h',
  asked: '1h',
  measuredTokens: 2_000,
  findings: [],
  ...more,
})
const after = (...calls: TtlCall[]): TtlSeen | undefined =>
  calls.reduce<TtlSeen | undefined>((known, one) => ttlAfter(known, one, offers), undefined)
const found = (ageMs: number, is: boolean) => ({ at: 9_000, ageMs, found: is })

it('the card states both lifetimes of these tests', () => {
  expect(cardById('anthropic')).toBeDefined()
  expect(offers.filter(({ assumed }) => !assumed).map(({ name }) => name)).toEqual(expect.arrayContaining(['5m', '1h']))
})

describe('one receipt of lifetimes', () => {
  it('has what was asked, sent and honoured', () => {
    const { asked, sent, honoured, why } = ttlReceipt({ ttl: after(call()) ?? {} }, null)
    expect([asked.requests, sent.requests, honoured.requests]).toEqual([60 * MINUTE_MS, 60 * MINUTE_MS, 5 * MINUTE_MS])
    expect(why).toBe('the provider wrote 5 min where real requests carried 60 min')
  })

  it('keeps what was honoured while the same is sent, and no longer', () => {
    const read = { ...NO_COUNTS, inputTokens: 2_000, cacheReadTokens: 2_000, cacheWriteTokens: 0 }
    expect(after(call(), call({ at: 2_000, usage: read }))?.requests?.honouredMs).toBe(5 * MINUTE_MS)
    expect(after(call(), call({ at: 2_000, usage: read, sent: '5m' }))?.requests).toMatchObject({
      sentMs: 5 * MINUTE_MS,
    })
    expect(after(call(), call({ at: 2_000, usage: read, sent: '5m' }))?.requests).not.toHaveProperty('honouredMs')
  })

  it('takes no write behind a prefix that was read for a write of the prefix', () => {
    const behind = { ...wrote('5m', 900), inputTokens: 2_900, cacheReadTokens: 2_000 }
    expect(after(call({ usage: behind }))?.requests).not.toHaveProperty('honouredMs')
  })

  it('ignores a call that is told late', () => {
    const late = call({ at: 500, usage: wrote('1h') })
    expect(after(call(), late)).toEqual(after(call()))
  })

  it('has the longest idle time that a read survived, and the shortest that it did not', () => {
    const seen = after(
      call({ findings: [found(40_000, true), found(90_000, true)] }),
      call({ at: 2_000, findings: [found(400_000, false), found(310_000, false)] }),
    )
    expect(seen).toMatchObject({ aliveMs: 90_000, goneMs: 310_000 })
  })

  it('begins anew where another lifetime is honoured', () => {
    const seen = after(call({ findings: [found(90_000, true)] }), call({ at: 2_000, usage: wrote('1h') }))
    expect(seen).not.toHaveProperty('aliveMs')
    expect(seen?.requests?.honouredMs).toBe(60 * MINUTE_MS)
  })

  it('says nothing where nothing is known', () => {
    expect(after(call({ usage: NO_COUNTS, sent: undefined as never }))).toBeUndefined()
    expect(ttlReceipt({}, null)).toMatchObject({ why: 'no answer has shown a lifetime yet' })
  })
})
