import { describe, expect, it } from 'vitest'
import {
  afterEditCalls,
  armOf,
  ASIDE_MS,
  callsOf,
  isAside,
  NO_TRIAL,
  readRatio,
  UNEDITED_SHARE,
} from '../../../src/core/ledger/edit-trial.ts'
import type { EditCall, EditTrial } from '../../../src/core/ledger/edit-trial.ts'
import { NOON } from '../../support/sample.ts'

/** Numbers in [0, 1), the same for a seed (mulberry32). */
function numbers(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/**
 * Sessions of very different lengths and prompts, whose calls hit together or miss together. `lost`: the share of its reads that an edited session
 * loses.
 */
function world(seed: number, sessions: number, lost: number): EditTrial {
  const random = numbers(seed)
  let trial: EditTrial = NO_TRIAL
  let batch: EditCall[] = []
  for (let count = 1; count <= sessions && trial.asideAt === undefined; count++) {
    const session = Math.floor(random() * 2 ** 32)
    const arm = armOf(session)
    const calls = Math.ceil(1 / Math.max(0.01, random()))
    const promptTokens = 1_000 + Math.floor(50_000 * random() ** 3)
    const quality = random()
    const all = Array.from({ length: calls }, (): EditCall => {
      const isRead = random() < quality * (arm === 'edited' ? 1 - lost : 1)
      return { arm, session, at: NOON, promptTokens, readTokens: isRead ? Math.floor(promptTokens * 0.9) : 0 }
    })
    batch.push(...all)
    if (count % 100 !== 0) continue
    trial = afterEditCalls(trial, batch, NOON).trial
    batch = []
  }
  return trial
}

const share = (worlds: readonly EditTrial[]): number =>
  worlds.filter((trial) => trial.asideAt !== undefined).length / worlds.length

describe('stepping aside', () => {
  it('is a false alarm in less than one of a hundred trials where edits change nothing', () => {
    const worlds = Array.from({ length: 300 }, (_, seed) => world(seed + 1, 6_000, 0))
    expect(worlds.filter(({ looks }) => looks >= 2).length / worlds.length).toBeGreaterThan(0.95)
    expect(share(worlds)).toBeLessThan(0.01)
  })

  it('comes where edits lose half of what is read', () => {
    const worlds = Array.from({ length: 60 }, (_, seed) => world(seed + 1_000, 20_000, 0.5))
    expect(share(worlds)).toBeGreaterThan(0.9)
  })

  it('does not come where edits help', () => {
    const better = Array.from({ length: 60 }, (_, seed) => world(seed + 2_000, 6_000, -1))
    expect(share(better)).toBe(0)
  })

  it('ends after a week, and begins to compare anew', () => {
    const aside = world(1_001, 20_000, 0.9)
    const at = aside.asideAt ?? 0
    expect([isAside(aside, at), isAside(aside, at + ASIDE_MS - 1), isAside(aside, at + ASIDE_MS)]).toEqual([
      true,
      true,
      false,
    ])
    const call: EditCall = { arm: 'edited', session: 2 ** 31, at, readTokens: 5, promptTokens: 10 }
    expect(afterEditCalls(aside, [call], at).trial).toBe(aside)
    const { trial } = afterEditCalls(aside, [call], at + ASIDE_MS)
    expect([callsOf(trial.edited), callsOf(trial.plain), trial.looks, trial.asideAt]).toEqual([1, 0, 0, undefined])
    expect(readRatio(trial.edited)).toBe(0.5)
    expect(readRatio(trial.plain)).toBeNull()
  })
})

it('one session is in one arm, and the share of sessions without edits is small', () => {
  const random = numbers(7)
  const drawn = Array.from({ length: 20_000 }, () => armOf(Math.floor(random() * 2 ** 32)))
  expect(drawn.filter((arm) => arm === 'plain').length / drawn.length).toBeCloseTo(UNEDITED_SHARE, 2)
  expect([armOf(0), armOf(2 ** 32 - 1)]).toEqual(['plain', 'edited'])
})

it('never judges by a single session, however many calls it has', () => {
  const calls = (arm: 'edited' | 'plain', session: number, readTokens: number): EditCall[] =>
    Array.from({ length: 5_000 }, () => ({ arm, session, at: NOON, readTokens, promptTokens: 1_000 }))
  const { trial, steppedAside } = afterEditCalls(
    NO_TRIAL,
    [...calls('plain', 3, 900), ...calls('edited', 2 ** 31, 0)],
    NOON,
  )
  expect([steppedAside, trial.looks]).toEqual([false, 1])
})
