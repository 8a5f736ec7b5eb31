import { FAILURES } from '../../contract/failure.ts'
import type { FailureValue } from '../../contract/failure.ts'
import { spendToday } from '../planning/budget.ts'
import type { HistoryRow } from '../prefix/history.ts'
import type { PrefixState, Transition } from '../prefix/state.ts'
import { paidIn } from '../ledger/holdout-gap.ts'
import type { Primitive } from '../model/facts.ts'
import type { Purpose } from '../prefix/receipt.ts'

/** One of our calls that failed. */
export interface FailedCall {
  at: number
  failure: FailureValue
  /** False: the provider surely did not take it. Null: nobody knows, so the worst case is charged. */
  accepted: false | null
  permanent: boolean
  primitiveRefused: boolean
  /** The provider refused the place that the call came from, and another one is left to be tried. */
  elsewhere?: boolean
  /** How long the provider asked us to wait, if it did. */
  retryAfterMs: number | null
  purpose: Purpose
  primitive: Primitive
  latencyMs: number
}

/** The failure as callers see it: with the wait that the provider asked for. */
function withWait({ failure, retryAfterMs }: FailedCall): FailureValue {
  if (retryAfterMs === null) return failure
  return { ...failure, detail: { ...failure.detail, retry_after_seconds: Math.ceil(retryAfterMs / 1_000) } }
}

/** One of our calls failed. An unknown outcome is charged at its worst case and stays in the history as unknown. */
export function applyFailure(before: PrefixState, call: FailedCall, worst: number | null, ladder: number): Transition {
  const state: PrefixState = {
    ...before,
    generation: before.generation + 1,
    lastFailure: { at: call.at, failure: withWait(call), againAt: call.at + call.latencyMs + (call.retryAfterMs ?? 0) },
    failuresInRow: before.failuresInRow + 1,
  }
  const rows: HistoryRow[] = []
  if (call.accepted === null) {
    Object.assign(state, spendToday(before, worst ?? 0, call.at), {
      probes: before.probes + 1,
      unpricedCalls: before.unpricedCalls + (worst === null ? 1 : 0),
    })
    rows.push({
      at: call.at,
      type: 'receipt',
      kind: 'unknown',
      purpose: call.purpose,
      primitive: call.primitive,
      usage: null,
      costNanos: worst,
      latencyMs: call.latencyMs,
      model: null,
      why: `outcome unknown (${call.failure.kind}): charged at its worst case`,
    })
    if (call.purpose !== 'write') rows.push(...paidIn(state, worst ?? 0, call.at))
  }
  if (call.primitiveRefused && before.primitiveIndex + 1 < ladder) {
    state.failuresInRow = before.failuresInRow
    state.primitiveIndex = before.primitiveIndex + 1
    const why = `the provider refused ${call.primitive}; the next primitive is used from now on`
    rows.push({ at: call.at, type: 'decision', decision: 'primitive', why })
    return { state, rows }
  }
  if (call.elsewhere === true) {
    const why = 'the provider does not serve the place that the call came from; it is sent once from another region'
    rows.push({ at: call.at, type: 'decision', decision: 'egress', why })
    return { state, rows }
  }
  if (call.permanent || call.primitiveRefused || !FAILURES[call.failure.kind].retryable) {
    const why = `${call.failure.kind}: ${call.failure.message.replace(/\.$/, '')}. Waiting does not heal this; after it is mended, PATCH keep_warm or POST /prefixes/{id}/warm starts the plan again`
    const reason = call.permanent && call.failure.kind === 'provider_limited' ? 'quota_spent' : 'provider_refused'
    state.stopped = { reason, at: call.at, why }
  }
  // Its row stands also where the plan was off and so has nothing to stop.
  rows.push({ at: call.at, type: 'decision', decision: 'failed', why: `${call.failure.kind}: ${call.failure.message}` })
  return { state, rows }
}
