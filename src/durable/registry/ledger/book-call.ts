import type { RegistryStore } from '../tables/tables.ts'
import { dayOf } from '../../../core/time/time.ts'
import { EMPTY_DAY } from '../records/day.ts'

/** Adds a call about a managed cache, or the storage that was counted, to the totals of its UTC day. */
export function bookCall(
  store: RegistryStore,
  now: number,
  costNanos: number,
  failureKind: string | null,
  calls = 1,
): void {
  if (calls === 0 && costNanos === 0) return
  const day = dayOf(now)
  const totals = store.days.load(day) ?? EMPTY_DAY
  const failures =
    failureKind === null
      ? totals.failures
      : { ...totals.failures, [failureKind]: (totals.failures[failureKind] ?? 0) + 1 }
  store.days.save(day, {
    ...totals,
    calls: totals.calls + calls,
    costNanos: totals.costNanos + costNanos,
    failures,
  })
}
