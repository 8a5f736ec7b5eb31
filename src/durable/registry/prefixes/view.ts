import { belief, unreachable } from '../../../core/cache/belief.ts'
import type { Belief } from '../../../core/cache/belief.ts'
import type { PrefixState } from '../../../core/prefix/state.ts'
import type { PrefixRecord } from '../../../registration/record.ts'
import type { ProbeSchedulerPorts } from '../probes/context.ts'
import type { ProbeScheduler } from '../probes/scheduler.ts'
import type { Counts, KeptInCache, PrefixView } from '../records/prefix-view.ts'
import type { RegistryStore } from '../tables/tables.ts'

/** A prefix as it is read now. */
export function viewOf(
  { k, record, state }: { k: number; record: PrefixRecord; state: PrefixState },
  scheduler: ProbeScheduler,
  { keptIn }: Pick<ProbeSchedulerPorts, 'keptIn'>,
  now: number,
): PrefixView {
  const kept = state.managed?.cache == null ? null : (keptIn?.(state, now) ?? null)
  const gone = scheduler.gone(record)
  const inHandle = kept === null || (state.managed?.referred ?? 0) === 0 ? null : byHandle(kept)
  const expiringMs = state.retention === null ? 0 : scheduler.leadMs(record.provider, state.retention.ttlMs)
  const believed = (): Belief =>
    inHandle ?? belief(state, now, expiringMs, { ...scheduler.lifetimesOf(record, state, now), k })
  return {
    record,
    state,
    belief: gone === null ? believed() : unreachable(gone),
    now,
    inFlight: scheduler.inFlight(k) !== null,
    ...(kept === null ? {} : { kept }),
  }
}

export function countsOf(
  { prefixes, states, alarmCounts }: RegistryStore,
  storedBytes: number,
  aside: readonly string[],
): Counts {
  const [drifted, alarmed, alarms] = [states.drifted(), states.alarmed(), alarmCounts.all()]
  return { prefixes: prefixes.count(), drifted, alarmed, alarms, storedBytes, editsAside: aside.length }
}

/** Requests that refer to a handle read it until it expires; null: there is none now. */
function byHandle({ handle, expiresAt }: KeptInCache): Belief | null {
  if (handle === null) return null
  const why = 'real requests refer to a managed cache, which the provider has until then unless somebody deletes it'
  return { state: 'warm', pWarm: 1, interval: [1, 1], warmUntil: expiresAt, assumed: false, why }
}
