import { expect, it } from 'vitest'
import { HOUR_MS, MINUTE_MS } from '../../src/core/time/time.ts'
import { TWO_SLOTS } from './engine-slots.ts'
import { BAD_PLATFORM, BAD_PROVIDER, START_AT } from './settings.ts'
import { ENGINE_PREFIX, World } from './world.ts'
import type { Reply } from './provider.ts'

/** What an engine with two slots answers in virtual time. What is concluded from it is tested elsewhere. */

const TOKENS = 4_015

function engine(prefixes: number, watch: (reply: Reply, at: number) => void = () => {}): World {
  const options = {
    seed: 1,
    startAt: START_AT,
    kinds: [ENGINE_PREFIX],
    prefixes,
    tokens: TOKENS,
    provider: { ...BAD_PROVIDER, throttled: 0, broken: 0, silent: 0 },
    engine: TWO_SLOTS,
    platform: { ...BAD_PLATFORM, lost: 0, twice: 0, ticksMissing: 0, cronOut: null },
    registeredWithinMs: MINUTE_MS,
  }
  return new World(options, { sent: (_, at, reply) => watch(reply, at) })
}

const readOf = (reply: Reply): number | null => (reply.kind === 'answered' ? reply.usage.cacheReadTokens : null)

it('holds two prefixes that are kept warm', () => {
  const reads: (number | null)[] = []
  const world = engine(2, (reply, at) => void (at > START_AT + 10 * MINUTE_MS && reads.push(readOf(reply))))
  world.runFor(3 * HOUR_MS)
  expect(reads.length).toBeGreaterThan(10)
  expect(new Set(reads)).toEqual(new Set([TOKENS + TWO_SLOTS.headTokens]))
  expect([0, 1].map((prefix) => world.provider.isWarm(prefix, world.now))).toEqual([true, true])
  expect(world.provider.lapses).toEqual([])
})

it('reads the head alone of three prefixes that evict one another', () => {
  const reads: (number | null)[] = []
  const world = engine(3, (reply, at) => void (at > START_AT + 10 * MINUTE_MS && reads.push(readOf(reply))))
  world.runFor(3 * HOUR_MS)
  expect(reads.length).toBeGreaterThan(10)
  expect(reads.filter((read) => read === TWO_SLOTS.headTokens).length / reads.length).toBeGreaterThan(0.9)
  expect(world.provider.lapses.every(({ at, expiredAt }) => expiredAt > 0 && expiredAt < at)).toBe(true)
})

it('loses a prefix to prompts of others', () => {
  const world = engine(1)
  world.callAt(START_AT + 5 * MINUTE_MS, () => {
    expect(world.provider.isWarm(0, world.now)).toBe(true)
    world.provider.press(2, 3_000, world.now)
    expect(world.provider.isWarm(0, world.now)).toBe(false)
  })
  world.runFor(30 * MINUTE_MS)
  expect(world.provider.lapses[0]).toMatchObject({ expiredAt: START_AT + 5 * MINUTE_MS })
})
