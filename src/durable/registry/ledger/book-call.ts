import type { RegistryStore } from '../tables/tables.ts'
import { dayOf } from '../../../core/time/time.ts'
import type { StorageOfDay } from '../../../core/model/storage-price.ts'
import { EMPTY_DAY } from '../records/day.ts'

/** Adds a call about a managed cache to the totals of the UTC day on which it was sent. */
export function bookCall(
  store: RegistryStore,
  now: number,
  costNanos: number,
  failureKind: string | null,
  calls = 1,
): void {
  if (calls !== 0 || costNanos !== 0) book(store, dayOf(now), costNanos, failureKind, calls)
}

/** Adds storage to the totals of the UTC days on which it was used. */
export function bookStorage(store: RegistryStore, storage: readonly StorageOfDay[] = []): void {
  for (const { day, nanos } of storage) if (nanos !== 0) book(store, day, nanos, null, 0)
}

function book(store: RegistryStore, day: string, costNanos: number, failureKind: string | null, calls: number): void {
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
