import { foresee } from './demand.ts'
import type { IdleGap } from './demand.ts'
import type { KeepWarm } from './plan.ts'
import { horizon, mostProbes, reachOf } from './policy.ts'
import type { Holding } from './policy.ts'

/** What a plan would have sent and paid over idle gaps that were seen. Money is in the unit of the holding. */
export interface Replay {
  probes: number
  /** Real requests that would have found nothing. */
  coldStarts: number
  probesCost: number
  /** What those requests would have paid to write it again, above reading it. */
  rewritesCost: number
}

/**
 * Replays a plan over gaps, oldest first, knowing of each no more than was known when it began. `idleMs`: how long the
 * time since the last real request has lasted; its probes are paid as well, and nothing comes back for them.
 * Windows and `until` are not replayed: it is what the plan would do if it were in force throughout.
 */
export function replay(
  gaps: readonly IdleGap[],
  idleMs: number,
  lastAt: number | null,
  keepWarm: Pick<KeepWarm, 'plan' | 'idleTimeoutMs' | 'latencyValueNanos'>,
  holding: Holding,
): Replay {
  const sum: Replay = { probes: 0, coldStarts: 0, probesCost: 0, rewritesCost: 0 }
  gaps.forEach((gap, index) => {
    const limit = probesIn(gap.startAt, gaps.slice(0, index), keepWarm, holding)
    const sent = Math.min(limit, due(gap.lengthMs, holding))
    sum.probes += sent
    if (gap.lengthMs > holding.ttlMs + sent * holding.everyMs) sum.coldStarts += 1
  })
  if (lastAt !== null) sum.probes += Math.min(probesIn(lastAt, gaps, keepWarm, holding), due(idleMs, holding))
  sum.probesCost = sum.probes * holding.probe
  sum.rewritesCost = sum.coldStarts * (holding.write - holding.read)
  return sum
}

/** Probes that come due in an idle time of this length. */
function due(lengthMs: number, holding: Holding): number {
  return Math.max(0, Math.ceil(lengthMs / holding.everyMs) - 1)
}

/** Probes that the plan allows in the gap that begins at `startAt`. */
function probesIn(
  startAt: number,
  before: readonly IdleGap[],
  { plan, idleTimeoutMs, latencyValueNanos = 0 }: Pick<KeepWarm, 'plan' | 'idleTimeoutMs' | 'latencyValueNanos'>,
  holding: Holding,
): number {
  const inTime = idleTimeoutMs === null ? Number.POSITIVE_INFINITY : Math.floor(idleTimeoutMs / holding.everyMs)
  if (plan === 'off') return 0
  if (plan === 'always') return inTime
  if (plan !== 'auto') return Math.min(inTime, plan.probes)
  // Before the first arrival it holds to the break-even; from the first gap on it learns.
  const allowed = mostProbes(holding, latencyValueNanos)
  const foresight = foresee(before, startAt, undefined, reachOf(holding, latencyValueNanos))
  return Math.min(inTime, allowed, horizon(holding, foresight, latencyValueNanos).probes)
}
