import { HOUR_MS } from '../../src/core/time/time.ts'
import { factsOf } from '../../src/runtime/facts.ts'
import { goodDay, START_AT } from '../../test/scenarios/settings.ts'
import { World } from '../../test/scenarios/world.ts'
import type { WorldOptions } from '../../test/scenarios/world.ts'
import { FAMILIES } from './families.ts'
import type { Family } from './families.ts'

const LASTS_MS = 6 * HOUR_MS
/** Time between two comparisons of the belief with the truth. */
const STEP_MS = 10_000

export interface Score {
  /** Mean squared difference between `p_warm` and whether the entry could be read then. */
  brier: number
  /** The same for a belief that an entry is warm, with certainty, until its retention has passed since the last request. */
  ttl_only_brier: number
  /** The longest time for which an entry was called warm that was gone. */
  longest_false_warm_ms: number
  /** Time from the last use of that entry to its next keep-alive, as it was planned then. */
  probe_interval_ms: number
  /** The most by which any such time exceeded the interval of its entry; 0: none did. */
  longest_beyond_interval_ms: number
}

/** Scores by family, and weighed by the rates of the families. */
export interface Scores {
  families: Record<string, Score>
  mixed: Score
}

export interface Belief extends Scores {
  /** The same where half of the real requests are reported with their bodies. */
  half_with_bodies: Scores
}

/** Plays each family with these seeds, once with real requests that are reported without bodies, which decides, and once with. */
export function beliefScores(seeds: readonly number[]): Belief {
  return { ...scoresOf(seeds, 0), half_with_bodies: scoresOf(seeds, 0.5) }
}

function scoresOf(seeds: readonly number[], withBody: number): Scores {
  const families = Object.fromEntries(
    Object.entries(FAMILIES).map(([name, family]) => [
      name,
      meanOf(seeds.map((seed) => played(family, seed, withBody))),
    ]),
  )
  const weighed = (member: 'brier' | 'ttl_only_brier') =>
    rounded(Object.entries(FAMILIES).reduce((sum, [name, { rate }]) => sum + rate * (families[name]?.[member] ?? 0), 0))
  const mixed = {
    brier: weighed('brier'),
    ttl_only_brier: weighed('ttl_only_brier'),
    ...longestOf(Object.values(families)),
  }
  return { families, mixed }
}

function meanOf(scores: readonly Score[]): Score {
  const mean = (member: 'brier' | 'ttl_only_brier') =>
    rounded(scores.reduce((sum, score) => sum + score[member], 0) / scores.length)
  return { brier: mean('brier'), ttl_only_brier: mean('ttl_only_brier'), ...longestOf(scores) }
}

const rounded = (value: number): number => Number(value.toFixed(4))

type Longest = Omit<Score, 'brier' | 'ttl_only_brier'>

function longestOf(scores: readonly Longest[]): Longest {
  const [longest] = scores.toSorted((a, b) => b.longest_false_warm_ms - a.longest_false_warm_ms)
  return {
    longest_false_warm_ms: longest?.longest_false_warm_ms ?? 0,
    probe_interval_ms: longest?.probe_interval_ms ?? 0,
    longest_beyond_interval_ms: Math.max(...scores.map((score) => score.longest_beyond_interval_ms)),
  }
}

/** Plays one family, with the shipped scheduler and plan `always`. `withBody`: share of real requests that are reported with their bodies. */
export function played(family: Family, seed: number, withBody = 0): Score {
  const { kind, prefixes, arrivalsAnHour } = family
  const facts = factsOf(kind.provider, kind.model, START_AT)
  const ttlMs = facts.retentions.find(({ name }) => name === kind.retention)?.ttlMs ?? 0
  const lastAt = new Map<number, number>()
  const probedAt = new Map<number, number>()
  const options: WorldOptions = {
    ...goodDay(seed),
    kinds: [kind],
    prefixes,
    arrivalsAnHour,
    withBody,
    registeredWithinMs: Math.min(kind.ttlMs, 600_000),
    makeProvider: (entries, faults, die) => family.make(entries, faults, die, START_AT),
  }
  const world = new World(options, {
    sent: ({ k }, at, reply) => {
      if (reply.kind !== 'answered') return
      lastAt.set(k, at)
      probedAt.set(k, at)
    },
    observed: (prefix, startedAt) => lastAt.set(prefix + 1, Math.max(startedAt, lastAt.get(prefix + 1) ?? 0)),
  })
  let [count, squares, ttlSquares] = [0, 0, 0]
  let longest: Longest = { longest_false_warm_ms: 0, probe_interval_ms: 0, longest_beyond_interval_ms: 0 }
  const falseMs = new Map<number, number>()
  const seenAt = new Map<number, number>()
  const intervalMs = new Map<number, number>()
  for (let at = START_AT; at <= START_AT + LASTS_MS; at += STEP_MS) {
    world.runFor(at - START_AT)
    for (const [k, usedAt] of lastAt) {
      const { belief, state } = world.registrar.viewByKey(k, at)
      const isWarm = world.provider.isWarm(k - 1, at)
      const truth = isWarm ? 1 : 0
      count += 1
      squares += (belief.pWarm - truth) ** 2
      ttlSquares += ((at < usedAt + ttlMs ? 1 : 0) - truth) ** 2
      const isFalse = !isWarm && (belief.state === 'warm' || belief.state === 'expiring')
      // At its last probe it was there.
      const soFar = seenAt.get(k) === probedAt.get(k) ? (falseMs.get(k) ?? 0) : 0
      seenAt.set(k, probedAt.get(k) ?? 0)
      const lastsMs = isFalse ? soFar + STEP_MS : 0
      falseMs.set(k, lastsMs)
      // While a keep-alive is on its way none is planned: the interval is that of the one before.
      if (state.nextAt !== null && state.anchorAt !== null) intervalMs.set(k, state.nextAt - state.anchorAt)
      const probeMs = intervalMs.get(k) ?? 0
      longest = longestOf([
        longest,
        {
          longest_false_warm_ms: lastsMs,
          probe_interval_ms: probeMs,
          // Seen from its first step to its last.
          longest_beyond_interval_ms: Math.max(0, lastsMs - STEP_MS - probeMs),
        },
      ])
    }
  }
  return { brier: squares / count, ttl_only_brier: ttlSquares / count, ...longest }
}
