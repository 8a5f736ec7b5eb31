import { readFailure } from '../../contract/failure.ts'
import { rollUpRows } from '../../core/prefix/history-roll-up.ts'
import type { Credentials } from './account/credentials.ts'
import type { Webhook } from './account/webhook.ts'
import type { ManagedCacheStore } from './tables/managed-caches.ts'
import type { Idempotency } from './tables/idempotency.ts'
import type { RegistryStore } from './tables/tables.ts'
import { DAY_MS, dayOf, MINUTE_MS } from '../../core/time/time.ts'

/** Rows are kept whole for a week, then by the hour. */
const HISTORY_MS = 7 * DAY_MS
/** Pages of history rolled up at once, at each sweep: a fraction of a second, and more a day than one Registry can write. */
const ROLL_UPS_AT_ONCE = 500
const JOB_MS = 7 * DAY_MS
/** Past its due time by so much, a prefix has neither slot nor claim. */
const FORGOTTEN_MS = 10 * MINUTE_MS
const LEDGER_DAYS_MS = 400 * DAY_MS

/** Rows older than a week are told by the hour. */
export function rollUp({ history }: RegistryStore, now: number): void {
  for (const { k, seq, rows } of history.old(now - HISTORY_MS, ROLL_UPS_AT_ONCE)) {
    history.saveRolledUp(k, seq, rollUpRows(rows))
  }
}

/** Once a day: rows age, and what fell out of the schedule is put back. */
export function age(store: RegistryStore, handles: ManagedCacheStore, idempotency: Idempotency, now: number): void {
  store.transaction(() => {
    rollUp(store, now)
    store.history.drop(now - LEDGER_DAYS_MS)
    handles.dropRows(now - LEDGER_DAYS_MS)
    store.jobs.drop(now - JOB_MS)
    store.crews.drop(now - JOB_MS)
    idempotency.age(now)
    store.botBook.drop(now - HISTORY_MS)
    store.days.drop(dayOf(now - LEDGER_DAYS_MS))
    store.trials.drop(dayOf(now - LEDGER_DAYS_MS))
    store.prefixes.dropDeparted(dayOf(now))
    // None is ever forgotten, unless there is a defect; then it must not stay so.
    for (const k of store.states.forgotten(now - FORGOTTEN_MS, 10_000)) store.slots.hint(k, now)
  })
}

/** Seals again what the former key-encryption secret sealed. A failure is logged: it must not keep rows from ageing. */
export function reseal(credentials: Credentials, webhook: Webhook, now: number): void {
  try {
    if (!credentials.isEmpty()) credentials.reseal()
    webhook.reseal(now)
  } catch (thrown) {
    console.error('credentials could not be sealed anew', readFailure(thrown)?.kind ?? 'unknown')
  }
}
