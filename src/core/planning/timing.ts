import { breakEvenWhy, holdWhy, probeLimit, sinceWords } from './break-even.ts'
import { spend } from './budget.ts'
import { ridesAlong } from '../cache/longer-prefix.ts'
import { leadMs } from '../time/latency.ts'
import type { Decision, PlanContext } from './plan.ts'
import { windowOpenedAfter } from './window-opening.ts'
import { pendingUntil } from '../prefix/signal.ts'
import { warmUntil } from '../prefix/state.ts'
import type { PrefixState } from '../prefix/state.ts'
import {
  deadline,
  failedUntil,
  FIRST_BACKOFF_MS,
  inTurn,
  LONGEST_BACKOFF_MS,
  LONGEST_KEEP_BACKOFF_MS,
  REWRITE_BACKOFF_MS,
} from './retry.ts'
import { windowStatus } from '../time/weekly-window.ts'
import { iso } from '../time/time.ts'
import { planKind } from './plan-kinds.ts'

/** How soon a second probe settles what a first one left open. */
const VERIFY_AFTER_MS = 5_000

/** What the clock says, where nothing refuses: wait, keep, write again, settle a doubt, or let it lapse. */
export function timing(state: PrefixState, context: PlanContext, now: number): Decision {
  const { keepWarm } = context
  const kind = planKind(keepWarm.plan)
  const sight = windowStatus(keepWarm.windows, now)
  if (!sight.open)
    return {
      do: 'wait',
      code: 'window',
      untilAt: sight.opensAt === null ? now : inTurn(sight.opensAt, state, context),
      why: `outside the declared windows; warm again at ${iso(sight.opensAt ?? now)}`,
    }
  const until = warmUntil(state)
  if (state.verdict === 'none' || until === null) return write(state, context, now, sight.closesAt)
  if (state.failuresInRow === 0 && state.readZeroInRow > 0 && state.verdict === 'unknown' && state.anchorAt !== null) {
    // A doubt costs little to settle, and everything else hangs on the answer.
    const verifyAt = state.anchorAt + VERIFY_AFTER_MS
    if (now < verifyAt)
      return {
        do: 'wait',
        code: 'verify',
        untilAt: verifyAt,
        why: 'the last answer left open whether the prefix is cached: a second probe decides',
      }
    return spend(state, context, now, 'verify', 'the last answer left open whether the prefix is cached')
  }
  const closing = deadline(state) ?? until
  if (now >= closing)
    return { do: 'lapse', why: `its retention passed at ${iso(until)} and no probe got through in time` }

  const lead = leadMs(state.retention?.ttlMs ?? 0, context.grainMs, context.pace)
  const limit = probeLimit(state, context)
  const pendingTo = kind.followsSignals ? pendingUntil(state, now) : null
  // Work that is running holds the prefix beyond what silence would; once the entry outlasts it, no probe is needed.
  const pending = pendingTo !== null && until - lead < pendingTo
  if (limit !== null && state.probesSinceArrival >= limit && !pending) {
    return kind.stopsAtBreakEven
      ? { do: 'stop', reason: 'break_even', why: breakEvenWhy(state, context, limit) }
      : {
          do: 'stop',
          reason: 'probes_spent',
          why: `${limit} probes ${sinceWords(state)}, as asked; the next real request starts the plan again`,
        }
  }
  const retryAt = failedUntil(state, context, FIRST_BACKOFF_MS, LONGEST_KEEP_BACKOFF_MS)
  // A fixed time runs on from the write whatever is read: a keep-alive would be paid for, and due again at once.
  const fixed = state.retention?.kind === 'fixed'
  // The longer prefix that renewed it is due at the same moment: its answer comes first, and leaves nothing to be paid here.
  const ownLead = ridesAlong(state) ? lead / 2 : lead
  const dueAt = fixed ? closing : Math.max(until - ownLead, retryAt)
  if (sight.closesAt !== null && sight.closesAt <= dueAt) {
    const opensAt = windowStatus(keepWarm.windows, sight.closesAt).opensAt ?? sight.closesAt
    return {
      do: 'wait',
      code: 'window',
      untilAt: inTurn(opensAt, state, context),
      why: `the declared window closes at ${iso(sight.closesAt)}, before the next probe; warm again at ${iso(opensAt)}`,
    }
  }
  if (keepWarm.untilAt !== null && keepWarm.untilAt <= dueAt) {
    return {
      do: 'stop',
      reason: 'until_reached',
      why: `still warm at ${iso(keepWarm.untilAt)}, the end that was asked for; no further probe is needed`,
    }
  }
  if (now < dueAt)
    return { do: 'wait', code: 'hold', untilAt: Math.min(dueAt, closing), why: holdWhy(state, context, limit, now) }
  return spend(state, context, now, 'keep', holdWhy(state, context, limit, now))
}

/** The entry is not there: pay the write, where the plan wants that. */
function write(state: PrefixState, context: PlanContext, now: number, closesAt: number | null): Decision {
  const { keepWarm } = context
  const lapsed = state.verdict === 'cold'
  // Outside of windows an entry lapses on purpose, and its opening is a declared reason to write again.
  const declared =
    closesAt !== null && (state.anchorAt === null || windowOpenedAfter(keepWarm.windows, state.anchorAt, now))
  if (lapsed && !planKind(keepWarm.plan).revives && !declared) {
    return {
      do: 'stop',
      reason: 'lapsed',
      why: 'it went cold, and this plan does not pay to revive it; the next real request starts the plan again, or POST /prefixes/{id}/warm',
    }
  }
  if (state.failuresInRow > 0 && state.lastFailure !== null) {
    const againAt = failedUntil(state, context, REWRITE_BACKOFF_MS, LONGEST_BACKOFF_MS)
    if (now < againAt)
      return {
        do: 'wait',
        code: 'backoff',
        untilAt: againAt,
        why: `the last ${state.failuresInRow} calls failed (${state.lastFailure.failure.kind}); tried again at ${iso(againAt)}`,
      }
  }
  const why = !lapsed
    ? 'not warmed yet'
    : declared
      ? 'its declared window opened'
      : 'it lapsed, and plan always pays one rewrite to make it warm again'
  return spend(state, context, now, 'write', why)
}
