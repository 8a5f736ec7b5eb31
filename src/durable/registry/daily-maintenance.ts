import { rollUpRows } from '../../core/prefix/history-roll-up.ts'
import { STAT_HOURS_MS } from './records/day.ts'
import { TOLD_MS } from '../../registration/told/told-request.ts'
import type { ManagedCacheStore } from './tables/managed-caches.ts'
import type { Idempotency } from './tables/idempotency.ts'
import type { RegistryStore } from './tables/tables.ts'
import { DAY_MS, dayOf, MINUTE_MS } from '../../core/time/time.ts'

/** History rows are kept whole for a week, then rolled up by the hour. */
const HISTORY_MS = 7 * DAY_MS
/** Pages of history rolled up at each sweep: a fraction of a second's work, and more pages a day than one Registry can write. */
const ROLL_UPS_PER_SWEEP = 500
const JOB_MS = 7 * DAY_MS
/** A prefix that is due for this long has neither slot nor claim. */
const UNSCHEDULED_MS = 10 * MINUTE_MS
const LEDGER_DAYS_MS = 400 * DAY_MS

const dayStart = (at: number): number => Math.floor(at / DAY_MS) * DAY_MS

/** Rolls up rows that are older than a week, by the hour. */
export function rollUp({ history }: RegistryStore, now: number): void {
  for (const { k, seq, rows } of history.old(now - HISTORY_MS, ROLL_UPS_PER_SWEEP)) {
    history.saveRolledUp(k, seq, rollUpRows(rows))
  }
}

/** Once a day: deletes rows that are too old, and schedules prefixes again that lost their place. */
export function age(store: RegistryStore, caches: ManagedCacheStore, idempotency: Idempotency, now: number): void {
  store.transaction(() => {
    rollUp(store, now)
    store.history.drop(now - LEDGER_DAYS_MS)
    caches.dropRows(now - LEDGER_DAYS_MS)
    store.jobs.drop(now - JOB_MS)
    store.crews.drop(now - JOB_MS)
    idempotency.age(now)
    store.botCalls.drop(now - HISTORY_MS)
    store.days.drop(dayOf(now - LEDGER_DAYS_MS))
    store.misses.drop(dayOf(now - LEDGER_DAYS_MS))
    // What an account has switched off is forgotten at once.
    if (store.settings()?.learn === 'off') store.passedCalls.drop()
    else store.passedCalls.drop(now - HISTORY_MS)
    store.trials.drop(dayOf(now - LEDGER_DAYS_MS))
    store.stats.age(dayStart(now - STAT_HOURS_MS), dayStart(now - LEDGER_DAYS_MS))
    store.prefixes.departed.drop(dayOf(now))
    store.toldCalls.drop(now - TOLD_MS)
    // Only a defect can leave a due prefix unscheduled; this repairs it within a day.
    for (const k of store.states.forgotten(now - UNSCHEDULED_MS, 10_000)) store.slots.hint(k, now)
  })
}
