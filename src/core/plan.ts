import { nextAnnouncement, preparing } from './announcement.ts'
import { foresee, unpackGaps } from './demand.ts'
import type { Foresight } from './demand.ts'
import { lastTryMs, leadMs } from './pace.ts'
import type { Pace } from './pace.ts'
import { choiceWhy, horizon, retentionFor } from './policy.ts'
import type { Choice, Holding } from './policy.ts'
import { breakEvenProbes, ratesFor, readNanos, usd, writeNanos } from './price.ts'
import { backoffMs, DEADLINE_MARGIN_MS, dayOf, nextDayAt } from './schedule.ts'
import { pendingUntil } from './signal.ts'
import { warmUntil } from './state.ts'
import { isHeldOut } from './trial.ts'
import { losingWhy, lossLimit } from './tripwire.ts'
import type { HoldBack } from './limit.ts'
import type { PrefixState, Purpose, Stop, StopReason } from './state.ts'
import type { ModelFacts } from './types.ts'
import { windowSight } from './window.ts'
import type { Window } from './window.ts'

/** What the caller asked for, normalised. */
export interface KeepWarm {
  plan: 'auto' | 'always' | 'off' | { probes: number }
  untilAt: number | null
  idleTimeoutMs: number | null
  windows: Window[]
  budgetNanosPerDay: number
  /** What one avoided cold start is worth beside the tokens it saves; absent in rows that are older than it: 0. */
  latencyValueNanos?: number
  /** Share of idle gaps that are held out; absent in rows that are older than it: the default. */
  holdoutShare?: number
}

/** What a decision needs beside the state of the prefix: all of it data, none of it remembered. */
export interface PlanContext {
  keepWarm: KeepWarm
  facts: ModelFacts
  /** The prefix's size before an answer counted it. */
  estimatedTokens: number
  /** Output tokens that a probe cannot avoid. */
  outputFloor: number
  /** True once a newer body took the name. */
  superseded: boolean
  /** Why the credential it was written with cannot be used any more; absent while it can. */
  credentialGone?: string
  killed: boolean
  /** Coarseness of queue delays in this clock. */
  grainMs: number
  /** What was learned of the road to this provider; absent: the cautious assumption. */
  pace?: Pace
  /** Why calls to this provider, with this credential, should pause; absent while they need not. */
  holdBack?: HoldBack
  /** What the account may still spend today, reservations taken off; null: no account budget. */
  accountLeftNanos: number | null
  /** In [0, 1): spreads retries. */
  random: number
}

/**
 * What is waited for: the moment before the lapse, a window, announced traffic, a second look, a provider's recovery,
 * tomorrow's budget, room in the provider's limits, an end of failures. */
export type WaitCode = 'hold' | 'window' | 'announced' | 'verify' | 'backoff' | 'budget' | HoldBack['code']

/** `rest`: announced traffic is seen to although the plan itself rests, and why it does. */
export type Decision =
  | { do: 'send'; purpose: Purpose; why: string; worstNanos: number | null; deadlineAt: number | null; rest?: Rest }
  | { do: 'wait'; code: WaitCode; untilAt: number; why: string; rest?: Rest }
  | { do: 'lapse'; why: string }
  | { do: 'stop'; reason: StopReason; why: string }

type Rest = Pick<Stop, 'reason' | 'why'>

/** Answers that say nothing, in a row, before a plan that watches its money gives up on being able to tell. */
const SILENT_LIMIT = 3
const FIRST_BACKOFF_MS = 1_000
const REWRITE_BACKOFF_MS = 15_000
const LONGEST_KEEP_BACKOFF_MS = 8_000
/** A provider that was away is asked again within two minutes of its return. */
const LONGEST_BACKOFF_MS = 120_000
/** How soon a second probe settles what a first one left open. */
const VERIFY_AFTER_MS = 5_000

export function prefixTokens(state: PrefixState, context: Pick<PlanContext, 'estimatedTokens'>): number {
  return state.measuredTokens ?? context.estimatedTokens
}

/**
 * The most that one call can cost: a full rewrite plus the output floor. Before the first count the estimate is
 * doubled: a token is two bytes at the least in the texts that providers bill.
 */
export function worstNanos(state: PrefixState, context: PlanContext): number | null {
  const { price } = context.facts
  if (price === null || state.retention === null) return null
  const tokens = state.measuredTokens === null ? context.estimatedTokens * 2 : Math.ceil(state.measuredTokens * 1.05)
  const rates = ratesFor(price, tokens)
  const rate = rates.cacheWriteNanosPerMTok[state.retention.name]
  if (rate === undefined) return null
  const perMTok = Math.max(rate, rates.inputNanosPerMTok)
  return Math.ceil((tokens * perMTok + context.outputFloor * rates.outputNanosPerMTok) / 1_000_000)
}

/** Keep-alives allowed since the last arrival; null: no limit of number. */
export function probeLimit(state: PrefixState, context: PlanContext): number | null {
  const { plan } = context.keepWarm
  if (typeof plan === 'object') return plan.probes
  if (plan !== 'auto' || context.facts.price === null || state.retention === null) return null
  const most = cap(state, context)
  return most === null || most === 0 ? most : (learned(state, context)?.choice.probes ?? most)
}

/** Probes in one gap that together cost no more than the cold start they protect; null where no price tells. */
function cap(state: PrefixState, context: PlanContext): number | null {
  const { price } = context.facts
  if (price === null || state.retention === null) return null
  const tokens = prefixTokens(state, context)
  return breakEvenProbes(tokens, context.outputFloor, price, state.retention.name, latencyValue(context))
}

/** What `auto` makes of the gap that began with the last real request; null before the first: it then holds to the cap. */
function learned(state: PrefixState, context: PlanContext): { choice: Choice; foresight: Foresight } | null {
  const { retention } = state
  if (state.lastArrivalAt === null || retention === null) return null
  const holding = holdingOf(state, context, retention.name, retention.ttlMs)
  if (holding === null) return null
  const foresight = foresee(unpackGaps(state.gaps ?? []), Math.max(state.lastArrivalAt, state.plannedAt))
  return { choice: horizon(holding, foresight, latencyValue(context)), foresight }
}

/** A retention of this prefix with its prices; null where a price is not known. */
export function holdingOf(
  state: PrefixState,
  context: Pick<PlanContext, 'facts' | 'estimatedTokens' | 'outputFloor' | 'grainMs' | 'pace'>,
  name: string,
  ttlMs: number,
): Holding | null {
  const { price } = context.facts
  if (price === null) return null
  const tokens = prefixTokens(state, context)
  const rewrite = writeNanos(tokens, 0, price, name)
  if (rewrite === null) return null
  const read = readNanos(tokens, 0, price)
  const probe = readNanos(tokens, context.outputFloor, price)
  return { name, ttlMs, everyMs: ttlMs - leadMs(ttlMs, context.grainMs, context.pace), write: rewrite, read, probe }
}

/** What another retention than the registered body's would change, where the gaps speak for one. */
function otherRetention(state: PrefixState, context: PlanContext, foresight: Foresight, choice: Choice): string {
  const offers = context.facts.retentions.flatMap(({ name, kind, ttlMs, assumed }) => {
    const holding = assumed || kind !== 'sliding' ? null : holdingOf(state, context, name, ttlMs)
    return holding === null ? [] : [holding]
  })
  const better = retentionFor(offers, foresight, latencyValue(context))
  if (better === null || better.holding.name === choice.holding.name || better.expected >= choice.expected) return ''
  return `. With retention ${better.holding.name} a gap would cost about ${dollars(better.expected)} and not ${dollars(choice.expected)}`
}

/** What a keep-alive must be accepted before; null when nothing is warm. */
export function deadline(state: PrefixState): number | null {
  const until = warmUntil(state)
  return until === null ? null : until - DEADLINE_MARGIN_MS
}

/** What to do about a prefix now. The whole of the schedule: every shell asks this and does as it says. */
export function decide(state: PrefixState, context: PlanContext, now: number): Decision {
  const planned = announced(refusal(state, context, now) ?? timing(state, context, now), state, context, now)
  const decision = planned.do === 'send' && planned.purpose === 'keep' ? unlessHeldOut(planned, state, context, now) : planned
  const { holdBack } = context
  if (holdBack === undefined || holdBack.untilAt <= now) return decision
  const held = (deadlineAt: number | null, fromAt: number): Decision => {
    const untilAt = heldUntil(holdBack, deadlineAt, fromAt, context.pace)
    return untilAt <= fromAt ? decision : { do: 'wait', code: holdBack.code, untilAt, why: holdBack.why }
  }
  if (decision.do === 'send') return held(decision.deadlineAt, now)
  // One that failed and would come back before the end of it waits for the same reason as the others.
  const comesBack = decision.do === 'wait' && (decision.code === 'hold' || decision.code === 'backoff')
  return comesBack && state.failuresInRow > 0 ? held(deadline(state), decision.untilAt) : decision
}

/** A share of idle gaps goes without keep-alives: only beside them can it be seen what keep-alives save. */
function unlessHeldOut(send: Decision, state: PrefixState, { keepWarm }: PlanContext, now: number): Decision {
  if (!isHeldOut(state, keepWarm, now)) return send
  return stop(
    'held_out',
    `this idle gap was drawn to go without keep-alives, to measure what they save (keep_warm.holdout); the next real request starts the plan again`,
  )
}

/**
 * How long a call waits: to the end of what holds it back; but a keep-alive goes while there is still time for one try, unless
 * nothing at all may go, and then it waits until its entry has lapsed.
 */
export function heldUntil(holdBack: HoldBack, deadlineAt: number | null, now: number, pace?: Pace): number {
  if (deadlineAt === null) return holdBack.untilAt
  const lastAt = holdBack.strict ? deadlineAt : deadlineAt - lastTryMs(pace)
  return Math.max(now, Math.min(holdBack.untilAt, lastAt))
}

function stop(reason: StopReason, why: string): Decision {
  return { do: 'stop', reason, why }
}

/** Rests behind which there is nothing but a lack of demand or money: announced traffic is a demand, and asks again for money. */
const RESTS: readonly StopReason[] = [
  'plan_off',
  'until_reached',
  'idle_timeout',
  'break_even',
  'probes_spent',
  'lapsed',
  'surprise_write',
  'unverifiable',
  'not_worth_it',
  'session_over',
  'held_out',
  'budget_exhausted',
]

/** What the plan decided, unless announced traffic needs the prefix and the plan would rest or wait beyond it. */
function announced(decision: Decision, state: PrefixState, context: PlanContext, now: number): Decision {
  const next = nextAnnouncement(state, now)
  if (next === null || decision.do === 'send' || decision.do === 'lapse') return decision
  if (decision.do === 'wait' ? decision.code !== 'window' : !RESTS.includes(decision.reason)) return decision
  // An off plan, or an earlier rest, may stand in front of a graver reason.
  if (context.killed || context.credentialGone !== undefined || state.verdict === 'uncacheable') return decision
  if (state.stopped !== null && !RESTS.includes(state.stopped.reason)) return decision
  const { price } = context.facts
  if (price === null || state.retention === null || worstNanos(state, context) === null) return decision
  const tokens = prefixTokens(state, context)
  const worthProbes = breakEvenProbes(tokens, context.outputFloor, price, state.retention.name) ?? 0
  const wanted = preparing(state, next, { worthProbes, grainMs: context.grainMs, pace: context.pace }, now)
  if (wanted === null) return decision
  const rest = decision.do === 'stop' ? { rest: { reason: decision.reason, why: decision.why } } : {}
  const wait = (untilAt: number): Decision => ({ do: 'wait', code: 'announced', untilAt, why: wanted.why, ...rest })
  if (wanted.do === 'wait') return wait(wanted.untilAt)
  const [firstMs, mostMs] =
    wanted.purpose === 'keep' ? [FIRST_BACKOFF_MS, LONGEST_KEEP_BACKOFF_MS] : [REWRITE_BACKOFF_MS, LONGEST_BACKOFF_MS]
  const againAt = failedUntil(state, context, firstMs, mostMs)
  if (now < againAt) return wait(againAt)
  const spent = spend(state, context, now, wanted.purpose, wanted.why)
  return spent.do === 'send' ? { ...spent, ...rest } : spent
}

/** Reasons to send nothing at all until something changes. */
function refusal(state: PrefixState, context: PlanContext, now: number): Decision | null {
  const { keepWarm } = context
  if (context.superseded)
    return stop('superseded', 'a newer body was registered under this name; this version is no longer kept warm')
  if (context.credentialGone !== undefined) return stop('credential_replaced', context.credentialGone)
  if (keepWarm.plan === 'off')
    return stop(
      'plan_off',
      'the plan is off: warmed only on request (POST /prefixes/{id}/warm); a PATCH of keep_warm starts it',
    )
  if (state.verdict === 'uncacheable') {
    return stop(
      'uncacheable',
      `${state.lastReceipt?.why ?? 'not cached'}; stopped. A longer prefix, or POST /prefixes/{id}/warm to try again`,
    )
  }
  if (state.stopped !== null) return { do: 'stop', reason: state.stopped.reason, why: state.stopped.why }
  if (keepWarm.plan === 'auto' && state.signal?.kind === 'end') {
    return stop(
      'session_over',
      'the caller said that the session is over; the next real request, or POST /prefixes/{id}/warm, starts the plan again',
    )
  }
  if (context.killed) return stop('kill_switch', 'the kill switch is on; lifting it starts the plan again')
  if (keepWarm.untilAt !== null && now >= keepWarm.untilAt) {
    return stop(
      'until_reached',
      `kept warm until ${iso(keepWarm.untilAt)} as asked; a PATCH of keep_warm starts it again`,
    )
  }
  if (state.retention === null) {
    return stop(
      'retention_unknown',
      'no retention is known for this model, so there is nothing to schedule by; POST /prefixes/{id}/warm still works',
    )
  }
  if (context.facts.price === null || worstNanos(state, context) === null) {
    return stop(
      'price_unknown',
      `no price is known for this model at retention ${state.retention.name}, and a plan that spends does not guess; POST /prefixes/{id}/warm still works`,
    )
  }
  if (keepWarm.plan === 'auto' && cap(state, context) === 0) {
    return stop(
      'not_worth_it',
      `one probe costs more than the rewrite it could save at these prices${latencyWords(context)}; plan always keeps it warm all the same`,
    )
  }
  // Who puts a value on latency pays for more than savings, which a saving's amount does not count.
  const losing =
    keepWarm.plan === 'auto' && latencyValue(context) === 0
      ? losingWhy(state.loss, lossLimit(prefixTokens(state, context), state.retention, context.facts.price), now)
      : null
  if (losing !== null) return stop('losing_money', losing)
  if (keepWarm.plan !== 'always' && state.silentInRow >= SILENT_LIMIT) {
    return stop(
      'unverifiable',
      `${state.silentInRow} answers in a row reported no cached tokens, so nothing shows that probes do anything; plan always goes on regardless`,
    )
  }
  if (keepWarm.idleTimeoutMs !== null) {
    const since = Math.max(state.lastArrivalAt ?? 0, state.plannedAt)
    if (now >= since + keepWarm.idleTimeoutMs) {
      return stop('idle_timeout', `no real request since ${iso(since)}; the next one starts the plan again`)
    }
  }
  return null
}

function timing(state: PrefixState, context: PlanContext, now: number): Decision {
  const { keepWarm } = context
  const sight = windowSight(keepWarm.windows, now)
  if (!sight.open)
    return {
      do: 'wait',
      code: 'window',
      untilAt: sight.opensAt ?? now,
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
  const pendingTo = keepWarm.plan === 'auto' ? pendingUntil(state, now) : null
  // Work that is running holds the prefix beyond what silence would; once the entry outlasts it, no probe is needed.
  const pending = pendingTo !== null && until - lead < pendingTo
  if (limit !== null && state.probesSinceArrival >= limit && !pending) {
    return keepWarm.plan === 'auto'
      ? { do: 'stop', reason: 'break_even', why: breakEvenWhy(state, context, limit) }
      : {
          do: 'stop',
          reason: 'probes_spent',
          why: `${limit} probes since the last real request, as asked; the next real request starts the plan again`,
        }
  }
  const retryAt = failedUntil(state, context, FIRST_BACKOFF_MS, LONGEST_KEEP_BACKOFF_MS)
  // A fixed time runs on from the write whatever is read: a keep-alive would be paid for, and due again at once.
  const fixed = state.retention?.kind === 'fixed'
  const dueAt = fixed ? closing : Math.max(until - lead, retryAt)
  if (sight.closesAt !== null && sight.closesAt <= dueAt) {
    const opensAt = windowSight(keepWarm.windows, sight.closesAt).opensAt ?? sight.closesAt
    return {
      do: 'wait',
      code: 'window',
      untilAt: opensAt,
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
  if (lapsed && keepWarm.plan !== 'always' && !declared) {
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

function windowOpenedAfter(windows: readonly Window[], from: number, now: number): boolean {
  const before = windowSight(windows, from)
  return !before.open || (before.closesAt !== null && before.closesAt <= now)
}

/** When a call may be tried again after failures in a row; 0 when the last one succeeded. */
export function failedUntil(
  state: PrefixState,
  context: Pick<PlanContext, 'random'>,
  firstMs: number,
  mostMs: number,
): number {
  if (state.lastFailure === null || state.failuresInRow === 0) return 0
  const backoff = backoffMs(state.failuresInRow, context.random, firstMs, mostMs)
  return Math.max(state.lastFailure.againAt, state.lastFailure.at + backoff)
}

/** Asks the budgets, with the worst case. */
function spend(state: PrefixState, context: PlanContext, now: number, purpose: Purpose, why: string): Decision {
  const worst = worstNanos(state, context)
  const refused = budgetRefusal(state, context, now, worst)
  if (refused !== null) {
    const untilAt = nextDayAt(now)
    if (context.keepWarm.plan === 'always' && refused.heals)
      return { do: 'wait', code: 'budget', untilAt, why: `${refused.why}; goes on at ${iso(untilAt)}` }
    return {
      do: 'stop',
      reason: 'budget_exhausted',
      why: `${refused.why}; a larger budget, or the next real request, starts the plan again`,
    }
  }
  return { do: 'send', purpose, why, worstNanos: worst, deadlineAt: purpose === 'keep' ? deadline(state) : null }
}

/** Why today's budgets forbid a call that may cost `worst`; null when they allow it. */
export function budgetRefusal(
  state: PrefixState,
  context: PlanContext,
  now: number,
  worst: number | null,
): { why: string; heals: boolean } | null {
  if (worst === null) return null
  const spent = state.day === dayOf(now) ? state.spentNanos : 0
  const budget = context.keepWarm.budgetNanosPerDay
  if (spent + worst > budget) {
    return {
      why: `the worst case of one more call (${dollars(worst)}) does not fit into today's budget of ${dollars(budget)} (${dollars(spent)} spent)`,
      heals: worst <= budget,
    }
  }
  if (context.accountLeftNanos !== null && worst > context.accountLeftNanos) {
    return {
      why: `the worst case of one more call (${dollars(worst)}) does not fit into what the account may still spend today (${dollars(context.accountLeftNanos)})`,
      heals: true,
    }
  }
  return null
}

function holdWhy(state: PrefixState, context: PlanContext, limit: number | null, now: number): string {
  const name = state.retention?.name ?? 'its'
  if (state.retention?.kind === 'fixed') return `reading does not renew its ${name} retention: it runs out by itself`
  if (context.keepWarm.plan === 'always') return `always: renewed before its ${name} retention lapses`
  const pendingTo = context.keepWarm.plan === 'auto' ? pendingUntil(state, now) : null
  if (pendingTo !== null && limit !== null && state.probesSinceArrival >= limit)
    return `held on: the caller said that work is running that will come back, until ${iso(pendingTo)} at the latest`
  const known = context.keepWarm.plan === 'auto' ? learned(state, context) : null
  if (known !== null)
    return `${choiceWhy(known.choice, known.foresight)}${latencyWords(context)} (${state.probesSinceArrival} sent since the last real request)`
  if (context.keepWarm.plan === 'auto')
    return `auto holds for ${limit ?? 0} probes, the break-even at these prices${latencyWords(context)} (${state.probesSinceArrival} sent since the last real request)`
  return `held for ${limit ?? 0} probes as asked (${state.probesSinceArrival} sent since the last real request)`
}

function breakEvenWhy(state: PrefixState, context: PlanContext, limit: number): string {
  const known = learned(state, context)
  if (known !== null) {
    const other = otherRetention(state, context, known.foresight, known.choice)
    return `${choiceWhy(known.choice, known.foresight)}${latencyWords(context)}${other}; the next real request starts the plan again`
  }
  const seen = 'No real request was ever observed, so savings are unknown. '
  const tokens = prefixTokens(state, context)
  return `${seen}${limit} probes since the last real request cost as much as the one rewrite of ${tokens} tokens that they protect${latencyWords(context)}; the next real request starts the plan again`
}

function latencyValue({ keepWarm: { latencyValueNanos = 0 } }: PlanContext): number {
  return latencyValueNanos
}

/** Said wherever a break-even is explained that counts more than tokens. */
function latencyWords(context: PlanContext): string {
  const nanos = latencyValue(context)
  return nanos === 0 ? '' : `, counting ${dollars(nanos)} for an avoided cold start`
}

export function dollars(nanos: number): string {
  return `$${usd(nanos).toPrecision(3)}`
}

function iso(at: number): string {
  return new Date(at).toISOString().replace('.000Z', 'Z')
}
