import { failureValue } from '../../../contract/failure.ts'
import { applyAnswer } from '../../../core/events/answered.ts'
import { applyFailure } from '../../../core/events/failed.ts'
import { checksFor, judgedInTurn, notHonoured } from '../../../core/cache/required.ts'
import { flushTally } from '../../../core/events/arrived.ts'
import { reschedule } from '../../../core/planning/reschedule.ts'
import { resume } from '../../../core/events/restarted.ts'
import type { PlanContext } from '../../../core/planning/plan.ts'
import { costOf } from '../../../core/model/price.ts'
import { slotOf } from '../../../core/time/schedule.ts'
import type { PrefixState, Transition } from '../../../core/prefix/state.ts'
import type { Totals } from '../ledger/day-totals.ts'
import { drainOlders } from './superseded.ts'
import { refusedPlace } from './provider-guards.ts'
import { renewInner } from './longer-prefix.ts'
import { endedJob } from '../records/job.ts'
import type { Ended, Settled } from '../records/claim.ts'
import type { RegistryStore } from '../tables/tables.ts'
import type { PlanningContext } from './context.ts'
import type { Lease, Outcome } from '../../../calls/lease.ts'
import { stopReasonIs } from '../../../core/prefix/stop-reasons.ts'
import type { PrefixRecord } from '../../../registration/record.ts'
import { append } from '../tables/slots.ts'

/** What became of a call that was made. */
export type Sent = Exclude<Outcome, { kind: 'not_sent' }>

/** How a call ends: for its prefix, for the totals, and for the background warms that wait for it. */
export class ProbeOutcomes {
  readonly #situation: PlanningContext
  readonly #store: RegistryStore

  constructor(situation: PlanningContext) {
    this.#situation = situation
    this.#store = situation.store
  }

  /** What an outcome changes about its prefix, booked in the totals of the day. */
  apply(
    lease: Lease,
    outcome: Sent,
    state: PrefixState,
    context: PlanContext,
    record: PrefixRecord,
    totals: Totals,
  ): Transition {
    const worst = worstOf(lease)
    if (outcome.kind === 'answered') {
      const { purpose } = lease
      // A write that a resting plan did not ask for was asked for by somebody: it starts the plan again.
      // But what it has lost is not forgotten by asking: every start of an application would put the tripwire off.
      const rests = state.stopped !== null && state.stopped.reason !== 'losing_money'
      const resumed = purpose === 'write' && rests ? resume(state, outcome.startedAt) : null
      const change = applyAnswer(
        resumed?.state ?? state,
        { ...outcome, purpose, retention: lease.retention },
        context,
        worst,
      )
      change.rows = [...(resumed?.rows ?? []), ...change.rows]
      if (record.required === true) judge(change, state, lease, context, record.id)
      totals.answered(change.state.lastReceipt?.kind ?? 'unknown', spentBy(state, change.state))
      return change
    }
    const call = { ...outcome, at: outcome.startedAt, purpose: lease.purpose, elsewhere: refusedPlace(lease, outcome) }
    const change = applyFailure(state, call, worst, record.primitives.length)
    totals.failed(outcome.failure.kind, outcome.accepted === null, spentBy(state, change.state))
    return change
  }

  /** Plans what comes next and saves all of it; what whoever waits is told. */
  end(
    k: number,
    seq: number,
    record: PrefixRecord,
    change: Transition,
    context: PlanContext,
    now: number,
    later: Map<number, number[]>,
  ): Ended {
    const tally = flushTally(change.state, now, false)
    const next = reschedule({ ...tally.state, settledSeq: Math.max(seq, change.state.settledSeq) }, context, now)
    const failed = next.state.lastFailure !== null && next.state.failuresInRow > 0
    const { stopped } = next.state
    const refused = stopped !== null && stopReasonIs(stopped.reason, 'providersWord')
    const failure = refused || failed ? (next.state.lastFailure?.failure ?? null) : null
    const settled: Settled = { receipt: failure === null ? next.state.lastReceipt : null, failure }
    this.#store.states.save(k, this.endJobs(next.state, settled, now), [...change.rows, ...tally.rows, ...next.rows])
    if (next.state.nextAt !== null) append(later, slotOf(next.state.nextAt), k)
    drainOlders(this.#situation, k, next.state, now)
    renewInner(this.#situation, record, next.state, now)
    return { k, seq, settled }
  }

  /** Answers the background jobs of a prefix; the state with those that are left in doubt. */
  endJobs(state: PrefixState, settled: Settled, now: number): PrefixState {
    const open: string[] = []
    for (const id of state.jobs) {
      const job = this.#store.jobs.load(id)
      if (job === null) continue
      const after = endedJob(job, settled, now)
      if (after.status === 'queued') open.push(id)
      const k = this.#store.prefixes.keyOf('id', job.prefixId)
      if (k !== null) this.#store.jobs.save(k, after)
    }
    return state.jobs.length === 0 ? state : { ...state, jobs: open }
  }

  /** The prefix was deleted while its call was under way. What was spent is spent: the account's day counts it. */
  endDeleted(lease: Lease, outcome: Outcome, now: number, totals: Totals): Ended {
    if (outcome.kind === 'answered') {
      const { price } = this.#situation.ports.factsOf(lease.provider, lease.model, now)
      totals.answered('unknown', costOf(outcome.usage, price, lease.retention) ?? worstOf(lease))
    } else if (outcome.kind === 'failed') {
      const unknown = outcome.accepted === null
      totals.failed(outcome.failure.kind, unknown, unknown ? worstOf(lease) : 0)
    }
    const failure = failureValue('not_found', 'the prefix was deleted')
    return { k: lease.k, seq: lease.seq, settled: { receipt: null, failure } }
  }
}

/** A prefix whose cache is required: an answer that breaks it is a failure that its history tells, whoever made the call. */
function judge(
  change: Transition,
  { lastReceipt: before, readZeroInRow }: PrefixState,
  { retention }: Lease,
  { facts }: PlanContext,
  prefixId: string,
): void {
  const receipt = change.state.lastReceipt
  if (receipt === null) return
  const asked = { retention, writesReported: facts.writesReported, checksLeft: checksFor(facts) }
  const broken = judgedInTurn(receipt, before, asked, readZeroInRow)
  if (broken === null) return
  const { at } = receipt
  const failure = notHonoured(broken.why, receipt, asked, prefixId, false)
  change.state.lastFailure = { at, failure, againAt: at }
  change.rows.push({ at, type: 'decision', decision: 'cache_not_honoured', why: broken.why })
}

/** What one call added to the cost of its prefix; null: nobody knows. */
function spentBy(before: PrefixState, after: PrefixState): number | null {
  return after.unpricedCalls > before.unpricedCalls ? null : after.costNanos - before.costNanos
}

/** What a call is charged whose outcome is not known; null where that has no price. */
function worstOf(lease: Lease): number | null {
  return lease.reservedNanos === 0 ? null : lease.reservedNanos
}
