import { endsAt } from '../../core/managed-cache/state.ts'
import type { ManagedCacheState } from '../../core/managed-cache/state.ts'
import type { ManagedCacheRow, ManagedCacheView } from '../../durable/registry/records/managed-cache.ts'
import { dayOf } from '../../core/time/time.ts'
import { durationJson, failureJson, iso, money } from './format.ts'

/**
 * A managed cache. Its handle is shown until it expires by the clock. `confirmed` false: the provider was asked and did not confirm
 * it, so it is not shown. A caller without a handle sends the contents, which costs more and fails nothing.
 */
export function cacheJson(view: ManagedCacheView, confirmed = true) {
  const { record, state, now } = view
  const live = state.live !== null && state.live.expiresAt > now ? state.live : null
  const sums = [state.creationNanos, state.storageNanos] as const
  const known = (nanos: number): number | null => (state.unpriced ? null : money(nanos))
  return {
    id: record.id,
    provider: record.provider,
    model: record.model,
    display_name: record.name,
    credential: record.credential,
    ...(record.region === undefined ? {} : { region: record.region }),
    fingerprint: record.fingerprint,
    ...(record.prefixes === undefined ? {} : { prefixes: record.prefixes }),
    created_at: iso(record.createdAt),
    handle: confirmed ? (live?.name ?? null) : null,
    state: stateOf(view, live !== null, confirmed),
    expires_at: iso(live?.expiresAt ?? null),
    confirmed_at: iso(live?.seenAt ?? null),
    tokens: live?.tokens ?? null,
    estimated_tokens: record.estimatedTokens,
    ttl: durationJson(state.ttlMs),
    keep: {
      until: iso(record.keep.untilAt),
      idle: record.keep.idleMs === null ? null : durationJson(record.keep.idleMs),
      budget_usd_per_day: money(record.keep.budgetNanosPerDay),
    },
    last_used_at: iso(state.lastUsedAt),
    next_step_at: iso(state.nextAt),
    cost: {
      creation_usd: known(sums[0]),
      storage_usd: known(sums[1]),
      total_usd: known(sums[0] + sums[1]),
      today_usd: known(state.day === dayOf(now) ? state.dayNanos : 0),
    },
    creations: state.creations,
    renewals: state.renewals,
    losses: state.losses,
    in_flight: view.inFlight,
    stopped:
      state.stopped === null
        ? null
        : { reason: state.stopped.reason, at: iso(state.stopped.at), why: state.stopped.why },
    last_failure: lastFailureJson(state),
    why: whyOf(view, live !== null, confirmed),
  }
}

function stateOf({ record, state, now }: ManagedCacheView, alive: boolean, confirmed: boolean) {
  if (alive) return confirmed ? 'live' : 'unconfirmed'
  if (state.stopped?.reason === 'ended' || endsAt(state, record.keep) <= now) return 'ended'
  return state.stopped === null ? 'absent' : 'stopped'
}

function whyOf({ state }: ManagedCacheView, alive: boolean, confirmed: boolean): string {
  if (alive && !confirmed)
    return `the provider did not confirm it: ${state.lastFailure?.failure.message ?? 'no answer yet'}`
  return state.stopped?.why ?? state.why
}

function lastFailureJson(state: ManagedCacheState) {
  return state.lastFailure === null
    ? null
    : { at: iso(state.lastFailure.at), ...failureJson(state.lastFailure.failure) }
}

export function cacheHistoryJson(row: ManagedCacheRow) {
  return {
    at: iso(row.at),
    event: row.event,
    handle: row.handle,
    tokens: row.tokens,
    cost_usd: money(row.costNanos),
    storage_usd: money(row.storageNanos),
    why: row.why,
  }
}
