/** What follows when a plan stops for a reason. A member that is absent is false. */
export interface StopTraits {
  /** A person must mend something, or money and caching do not go as planned: the webhook and the list of stopped plans show it. */
  alerts?: true
  /** The opening of a declared window starts the plan again: it stopped for lack of traffic, or of yesterday's money. */
  endedByWindow?: true
  /** `pending` work starts the plan again: it stopped because of a silence that the work explains. */
  endedByPending?: true
  /** A real request starts the plan again: it renewed or rewrote the entry, and it is the demand that the plan waits for. */
  endedByArrival?: true
  /** Announced traffic is prepared for all the same: the plan stopped for lack of demand or money, and announced traffic is a demand. */
  yieldsToAnnouncement?: true
  /** The provider refused the call, so that its failure is the answer for those who wait. */
  providersWord?: true
}

/**
 * Why a plan stops; `why` of each stop says what starts the plan again. The names are stored in rows and are on the wire.
 * docs/planner.md ("Why a plan rests"), docs/api.md (the webhook) and the dashboard repeat this table, and tests compare them with it.
 */
const TABLE = {
  plan_off: { yieldsToAnnouncement: true },
  superseded: {},
  until_reached: { yieldsToAnnouncement: true },
  idle_timeout: { yieldsToAnnouncement: true, endedByArrival: true },
  break_even: { yieldsToAnnouncement: true, endedByArrival: true, endedByWindow: true, endedByPending: true },
  probes_spent: { yieldsToAnnouncement: true, endedByArrival: true, endedByWindow: true },
  lapsed: { alerts: true, yieldsToAnnouncement: true, endedByArrival: true, endedByWindow: true },
  surprise_write: { alerts: true, yieldsToAnnouncement: true, endedByArrival: true, endedByWindow: true },
  uncacheable: { alerts: true },
  unverifiable: { alerts: true, yieldsToAnnouncement: true, endedByArrival: true },
  price_unknown: { alerts: true },
  retention_unknown: { alerts: true },
  not_worth_it: { yieldsToAnnouncement: true },
  losing_money: { alerts: true },
  budget_exhausted: { alerts: true, yieldsToAnnouncement: true, endedByArrival: true, endedByWindow: true },
  kill_switch: {},
  provider_refused: { alerts: true, providersWord: true },
  credential_replaced: { alerts: true },
  address_changed: { alerts: true },
  prompt_erased: {},
  quota_spent: { alerts: true, providersWord: true },
  internal_error: { alerts: true },
  session_over: { yieldsToAnnouncement: true, endedByArrival: true, endedByPending: true },
  one_shot: { yieldsToAnnouncement: true, endedByArrival: true, endedByPending: true },
  held_out: { yieldsToAnnouncement: true, endedByArrival: true, endedByPending: true },
} satisfies Record<string, StopTraits>

export type StopReason = keyof typeof TABLE

export const STOP_REASONS: Readonly<Record<StopReason, StopTraits>> = TABLE

/** Whether a trait is true of a reason. A row of a newer version may hold a reason that is not in the table: it has no trait. */
export function stopReasonIs(reason: StopReason, trait: keyof StopTraits): boolean {
  return Object.hasOwn(STOP_REASONS, reason) && STOP_REASONS[reason][trait] === true
}
