import { WRONG_USAGES } from '../../test/lab/faults.ts'
import type { FaultKind, WrongUsage } from '../../test/lab/faults.ts'
import { die } from '../../test/scenarios/random.ts'
import { HOUR_MS, MINUTE_MS, SECOND_MS } from '../../src/core/time/time.ts'

/** Something bad at an instant: virtual milliseconds after the storm's beginning. */
export type StormEvent = { at: number } & (
  | { do: 'fault'; kind: FaultKind; how?: WrongUsage; delayMs?: number; times: number; untilMs: number }
  /** An object of the product ends in the middle of its work. `n`: which account, for those of accounts. */
  | { do: 'end'; object: 'Registry' | 'Directory' | 'Egress' | 'Bot'; n: number }
  /** Cron stands still; `forMs` says how long. */
  | { do: 'cron_out'; forMs: number }
  /** SIGKILL of the whole tree, and a start. */
  | { do: 'kill' }
  /** The same, with another bundle. */
  | { do: 'bundle' }
  /** The same, with the product's clock moved against the lab's. */
  | { do: 'jump'; byMs: number }
)

/** Faults of hosted providers; `pressure` is one of engines, which the five wire formats of the storm do not have. */
const KINDS: FaultKind[] = [
  'rate_limited',
  'insufficient_quota',
  'overloaded',
  'server_error',
  'geo_refusal',
  'timeout',
  'slow_first_token',
  'malformed',
  'truncated',
  'html',
  'stream_error',
  'stalls',
  'drips',
  'missing_usage',
  'missing_cached',
  'wrong_usage',
  'evict',
  'pressure',
  'downgrade_ttl',
  'no_write',
  'overbilled',
]

const OBJECTS = ['Registry', 'Directory', 'Egress', 'Bot'] as const
/** In twenty hours. */
const KILLS = 10
const BUNDLES = 3
const JUMPS_MS = [90 * SECOND_MS, -40 * SECOND_MS, 20 * MINUTE_MS, -5 * MINUTE_MS]
const FULL_MS = 20 * HOUR_MS

/** The storm's events in order of time: the same for the same seed. */
export function stormPlan(seed: number, lastsMs: number, prefixes: number): StormEvent[] {
  const random = die(seed)
  const events: StormEvent[] = []
  const share = lastsMs / FULL_MS
  const pick = (count: number): number => Math.min(count - 1, Math.floor(random.roll() * count))

  // Each kind comes at least twice in a storm, however short.
  const deck = shuffled([...KINDS, ...WRONG_USAGES.map((how) => ['wrong_usage', how] as const)], random.roll)
  const everyMs = Math.min(MINUTE_MS, lastsMs / (2 * deck.length))
  for (let [at, n] = [random.between(0, everyMs), 0]; at < lastsMs; at += everyMs, n++) {
    const card = deck[n % deck.length] ?? 'overloaded'
    const [kind, how] = typeof card === 'string' ? [card, undefined] : card
    events.push({
      at,
      do: 'fault',
      kind,
      ...(how === undefined ? {} : { how }),
      ...(kind === 'timeout' ? { delayMs: Math.round(random.between(5 * SECOND_MS, 10 * MINUTE_MS)) } : {}),
      times: 1 + pick(Math.max(2, Math.round(prefixes / 40))),
      untilMs: 3 * MINUTE_MS,
    })
  }
  const endEveryMs = Math.min(2 * MINUTE_MS, lastsMs / 12)
  for (let [at, n] = [random.between(0, endEveryMs), 0]; at < lastsMs; at += endEveryMs, n++)
    events.push({ at, do: 'end', object: OBJECTS[n % OBJECTS.length] ?? 'Registry', n: pick(1_000) })
  const outages = Math.max(1, Math.round(10 * share))
  for (let n = 0; n < outages; n++)
    events.push({ at: random.roll() * lastsMs, do: 'cron_out', forMs: random.between(3, 30) * MINUTE_MS })

  const restarts: ({ do: 'kill' } | { do: 'bundle' } | { do: 'jump'; byMs: number })[] = []
  for (let n = 0; n < Math.max(2, Math.round(KILLS * share)); n++) restarts.push({ do: 'kill' })
  for (let n = 0; n < Math.max(1, Math.round(BUNDLES * share)); n++) restarts.push({ do: 'bundle' })
  const jumps = Math.max(2, Math.round(JUMPS_MS.length * share))
  for (let n = 0; n < jumps; n++) restarts.push({ do: 'jump', byMs: JUMPS_MS[n % JUMPS_MS.length] ?? 0 })
  // Evenly over the storm, each within its own part: a start takes a while.
  const partMs = lastsMs / restarts.length
  for (const [n, restart] of shuffled(restarts, random.roll).entries())
    events.push({ at: (n + random.between(0.2, 0.6)) * partMs, ...restart })
  return events.toSorted((a, b) => a.at - b.at)
}

function shuffled<T>(all: readonly T[], roll: () => number): T[] {
  const rest = [...all]
  const out: T[] = []
  while (rest.length > 0) out.push(...rest.splice(Math.min(rest.length - 1, Math.floor(roll() * rest.length)), 1))
  return out
}
