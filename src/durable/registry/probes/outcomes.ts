import { failureValue } from '../../../contract/failure.ts'
import { applyAnswer } from '../../../core/events/answered.ts'
import { applyFailure } from '../../../core/events/failed.ts'
import { checksFor, judgedInTurn, notHonoured } from '../../../core/cache/required.ts'
import { flushTally } from '../../../core/events/arrived.ts'
import { mostTokens } from '../../../core/planning/budget.ts'
import { reschedule } from '../../../core/planning/reschedule.ts'
import { resume } from '../../../core/events/restarted.ts'
import type { PlanContext } from '../../../core/planning/plan.ts'
import { costOf, priceWhenSent } from '../../../core/model/price.ts'
import type { Price } from '../../../core/model/facts.ts'
import { believable, NO_COUNTS } from '../../../core/model/usage.ts'
import { slotOf } from '../../../core/time/schedule.ts'
import type { PrefixState, Transition } from '../../../core/prefix/state.ts'
import type { Totals } from '../ledger/day-totals.ts'
import { drainOlders } from './superseded.ts'
import { refusedPlace } from './provider-guards.ts'
import { renewShorter } from './longer-prefix.ts'
import { endedJob } from '../records/job.ts'
import type { Ended, Settled } from '../records/claim.ts'
import type { RegistryStore } from '../tables/tables.ts'
import type { PlanningContext } from './context.ts'
import type { Lease, Outcome } from '../../../calls/lease.ts'
import { modelName } from '../../../core/prefix/served-model.ts'
import type { Served } from '../../../core/prefix/served-model.ts'
import { isServedByOther } from '../../../providers/diagnosis/served-model.ts'
import { cardById } from '../../../runtime/cards.ts'
import { stopReasonIs } from '../../../core/prefix/stop-reasons.ts'
import { factsModelOf } from '../../../registration/record.ts'
import type { PrefixRecord } from '../../../registration/record.ts'
import { append } from '../tables/slots.ts'

/** Which model answered, where that can be told. */
function servedIn({ provider, model }: Lease, { model: named, startedAt }: Answered): { served?: Served } {
  const [card, name] = [cardById(provider), modelName(named)]
  if (card === undefined || name === null) return {}
  return { served: isServedByOther(card, model, name, startedAt) ? name : true }
}

type Answered = Extract<Outcome, { kind: 'answered' }>

/** Outcome of a call that was sent. */
export type Sent = Exclude<Outcome, { kind: 'not_sent' }>

/** Applies the end of a call to its prefix, to the totals of the day and to the background jobs that wait for it. */
export class ProbeOutcomes {
  readonly #planning: PlanningContext
  readonly #store: RegistryStore

  constructor(planning: PlanningContext) {
    this.#planning = planning
    this.#store = planning.store
  }

  /** Transition of the prefix after an outcome. Books the outcome in the totals of the day. */
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
      // A write despite a stopped plan was requested by a caller: it starts the plan again.
      // Not after the stop-loss: otherwise every start of an application would switch the stop-loss off.
      const restarts = state.stopped !== null && state.stopped.reason !== 'losing_money'
      const resumed = purpose === 'write' && restarts ? resume(state, outcome.startedAt) : null
      const change = applyAnswer(
        resumed?.state ?? state,
        {
          ...outcome,
          purpose,
          retention: lease.retention,
          price: this.#priceOf(lease, outcome),
          ...servedIn(lease, outcome),
        },
        context,
        worst,
      )
      change.rows = [...(resumed?.rows ?? []), ...change.rows]
      change.state = this.#planning.lifetimes.after(lease.k, record, change, outcome.startedAt)
      if (record.required === true) checkRequired(change, state, lease, context, record.id)
      const kind = change.state.lastReceipt?.kind ?? 'unknown'
      totals.answered(kind, spentBy(state, change.state), outcome.startedAt)
      // Reads that waited for this answer are hits now.
      totals.arrived(change.state.hits - state.hits, 0, 0)
      return change
    }
    const call = {
      ...outcome,
      at: outcome.startedAt,
      purpose: lease.purpose,
      elsewhere: refusedPlace(lease, outcome),
      price: this.#priceOf(lease, outcome),
      retention: lease.retention,
      contextTokens: context.facts.contextTokens,
      mostTokens: mostTokens(state, context),
    }
    const change = applyFailure(state, call, worst, record.primitives.length)
    totals.failed(outcome.failure.kind, outcome.accepted === null, spentBy(state, change.state), outcome.startedAt)
    return change
  }

  /** The price when the call was sent. A price that was changed while it was in flight is that of later calls. */
  #priceOf(lease: Lease, { startedAt }: Sent): Price | null {
    if (lease.prices !== undefined) return priceWhenSent(lease.prices, startedAt)
    return this.#planning.ports.factsOf(lease.provider, factsModelOf(lease), startedAt).price
  }

  /** Notes which prefix an answered call used, before any answer is judged. */
  noteUse({ k }: Lease, outcome: Outcome): void {
    const state = this.#store.states.load(k)
    const record = this.#store.prefixes.record(k)
    if (outcome.kind !== 'answered' || state === null || record === null) return
    this.#planning.lifetimes.used(k, record, state, outcome.startedAt)
  }

  /** Plans the next step and saves everything. Returns the result for callers that wait. */
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
    drainOlders(this.#planning, k, next.state, now)
    renewShorter(this.#planning, record, next.state, now)
    return { k, seq, settled }
  }

  /** Ends the background jobs of a prefix. The returned state keeps the jobs whose result is not known yet. */
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

  /** Books a call whose prefix was deleted in the meantime: its cost still counts in the totals of the day. */
  endDeleted(lease: Lease, outcome: Outcome, now: number, totals: Totals): Ended {
    if (outcome.kind !== 'not_sent') {
      const { usage = NO_COUNTS, startedAt } = outcome
      const { contextTokens } = this.#planning.ports.factsOf(lease.provider, factsModelOf(lease), now)
      const counted = believable(usage, contextTokens)
      const nanos = costOf(counted, this.#priceOf(lease, outcome), lease.retention) ?? worstOf(lease)
      if (outcome.kind === 'answered') totals.answered('unknown', nanos, startedAt)
      else {
        const unknown = outcome.accepted === null
        totals.failed(outcome.failure.kind, unknown, unknown ? nanos : 0, startedAt)
      }
    }
    const failure = failureValue('not_found', 'the prefix was deleted')
    return { k: lease.k, seq: lease.seq, settled: { receipt: null, failure } }
  }
}

/** Checks an answer for a prefix whose cache is required. A breach becomes the last failure and a row of the history. */
function checkRequired(
  change: Transition,
  { lastReceipt: before, readZeroInRow }: PrefixState,
  { retention }: Lease,
  { facts, layout }: PlanContext,
  prefixId: string,
): void {
  const receipt = change.state.lastReceipt
  if (receipt === null) return
  const asked = {
    retention,
    ...(layout && { layout }),
    writesReported: facts.writesReported,
    checksLeft: checksFor(facts),
  }
  const broken = judgedInTurn(receipt, before, asked, readZeroInRow)
  if (broken === null) return
  const { at } = receipt
  const failure = notHonoured(broken.why, receipt, asked, prefixId, false)
  change.state.lastFailure = { at, failure, againAt: at }
  change.rows.push({ at, type: 'decision', decision: 'cache_not_honoured', why: broken.why })
}

/** Nano-dollars that one call added to the cost of its prefix; null: unknown. */
function spentBy(before: PrefixState, after: PrefixState): number | null {
  return after.unpricedCalls > before.unpricedCalls ? null : after.costNanos - before.costNanos
}

/** Charge in nano-dollars for a call with an unknown outcome; null: the model has no known price. */
function worstOf(lease: Lease): number | null {
  return lease.reservedNanos === 0 ? null : lease.reservedNanos
}
