import { breakEvenWhy, holdWhy, probeLimit, reliedMs, sinceWords } from './break-even.ts'
import { sendWithinBudget } from './budget.ts'
import { isRenewedAlongside } from '../cache/longer-prefix.ts'
import { leadMs } from '../time/latency.ts'
import type { Decision, PlanContext } from './plan.ts'
import { windowOpenedAfter } from './window-opening.ts'
import { pendingUntil } from '../prefix/signal.ts'
import { warmUntil } from '../prefix/state.ts'
import type { PrefixState } from '../prefix/state.ts'
import {
  deadline,
  backoffUntil,
  FIRST_BACKOFF_MS,
  staggeredAt,
  LONGEST_BACKOFF_MS,
  LONGEST_KEEP_BACKOFF_MS,
  REWRITE_BACKOFF_MS,
} from './retry.ts'
import { windowStatus } from '../time/weekly-window.ts'
import { iso } from '../time/time.ts'
import { planKind } from './plan-kinds.ts'

/** Wait before a second probe when the first left open whether the prefix is cached. */
const VERIFY_AFTER_MS = 5_000

/** The decision by time, once no stop condition holds: wait, keep, write, verify, or lapse. */
export function timing(state: PrefixState, context: PlanContext, now: number): Decision {
  const { keepWarm } = context
  const kind = planKind(keepWarm.plan)
  const window = windowStatus(keepWarm.windows, now)
  if (!window.open)
    return {
      do: 'wait',
      code: 'window',
      untilAt: window.opensAt === null ? now : staggeredAt(window.opensAt, state, context),
      why: `outside the declared windows; warm again at ${iso(window.opensAt ?? now)}`,
    }
  const until = warmUntil(state)
  if (state.verdict === 'none' || until === null) return write(state, context, now, window.closesAt)
  const closing = deadline(state) ?? until
  if (now >= closing)
    return { do: 'lapse', why: `its retention passed at ${iso(until)} and no probe succeeded before that` }

  if (state.readZeroInRow > 0 && state.verdict === 'unknown' && state.anchorAt !== null) {
    // A second probe costs little, and everything else depends on its answer.
    const againAt = backoffUntil(state, context, REWRITE_BACKOFF_MS, LONGEST_BACKOFF_MS)
    const verifyAt = Math.max(state.anchorAt + VERIFY_AFTER_MS, againAt)
    const why = 'the last answer does not show whether the prefix is cached'
    return now < verifyAt
      ? { do: 'wait', code: 'verify', untilAt: Math.min(verifyAt, closing), why: `${why}; a second probe will show it` }
      : sendWithinBudget(state, context, now, 'verify', why)
  }

  const relied = reliedMs(state, context)
  const reliedUntil = until - (state.retention?.ttlMs ?? 0) + relied
  const lead = leadMs(relied, context.grainMs, context.latency)
  const limit = probeLimit(state, context)
  const pendingTo = kind.followsSignals ? pendingUntil(state, now) : null
  // Pending work keeps the prefix warm beyond break-even; once the entry outlasts the work, no probe is needed.
  const pending = pendingTo !== null && reliedUntil - lead < pendingTo
  if (limit !== null && state.probesSinceArrival >= limit && !pending) {
    return kind.stopsAtBreakEven
      ? { do: 'stop', reason: 'break_even', why: breakEvenWhy(state, context, limit) }
      : {
          do: 'stop',
          reason: 'probes_spent',
          why: `${limit} probes were sent ${sinceWords(state)}, the number that keep_warm sets; the next real request starts the plan again`,
        }
  }
  const retryAt = backoffUntil(state, context, FIRST_BACKOFF_MS, LONGEST_KEEP_BACKOFF_MS)
  // Reads do not renew a fixed retention: a keep-alive would be paid for, and due again at once.
  const fixed = state.retention?.kind === 'fixed'
  // The longer prefix that renewed it is due at the same time: half the lead lets its answer come first, which saves this probe.
  const ownLead = isRenewedAlongside(state) ? lead / 2 : lead
  const dueAt = fixed ? closing : Math.max(reliedUntil - ownLead, retryAt)
  if (window.closesAt !== null && window.closesAt <= dueAt) {
    const opensAt = windowStatus(keepWarm.windows, window.closesAt).opensAt ?? window.closesAt
    return {
      do: 'wait',
      code: 'window',
      untilAt: staggeredAt(opensAt, state, context),
      why: `the declared window closes at ${iso(window.closesAt)}, before the next probe; warm again at ${iso(opensAt)}`,
    }
  }
  if (keepWarm.untilAt !== null && keepWarm.untilAt <= dueAt) {
    return {
      do: 'stop',
      reason: 'until_reached',
      why: `it stays warm until ${iso(keepWarm.untilAt)}, the end that keep_warm sets; no further probe is needed`,
    }
  }
  if (now < dueAt)
    return { do: 'wait', code: 'hold', untilAt: Math.min(dueAt, closing), why: holdWhy(state, context, limit, now) }
  return sendWithinBudget(state, context, now, 'keep', holdWhy(state, context, limit, now))
}

/** The decision where there is no entry: write it if the plan pays for that. */
function write(state: PrefixState, context: PlanContext, now: number, closesAt: number | null): Decision {
  const { keepWarm } = context
  const lapsed = state.verdict === 'cold'
  // An entry lapses on purpose outside of windows, so the opening of one is a reason to write it again.
  const isDeclared =
    closesAt !== null && (state.anchorAt === null || windowOpenedAfter(keepWarm.windows, state.anchorAt, now))
  if (lapsed && !planKind(keepWarm.plan).revives && !isDeclared) {
    return {
      do: 'stop',
      reason: 'lapsed',
      why: 'it went cold, and this plan does not pay for a rewrite; the next real request or POST /prefixes/{id}/warm starts the plan again',
    }
  }
  if (state.failuresInRow > 0 && state.lastFailure !== null) {
    const againAt = backoffUntil(state, context, REWRITE_BACKOFF_MS, LONGEST_BACKOFF_MS)
    if (now < againAt)
      return {
        do: 'wait',
        code: 'backoff',
        untilAt: againAt,
        why: `the last ${state.failuresInRow} calls failed (${state.lastFailure.failure.kind}); the next attempt is at ${iso(againAt)}`,
      }
  }
  const why = !lapsed
    ? 'not warmed yet'
    : isDeclared
      ? 'its declared window opened'
      : 'it lapsed, and plan always pays for one rewrite'
  return sendWithinBudget(state, context, now, 'write', why)
}
