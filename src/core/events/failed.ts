import { FAILURES } from '../../contract/failure.ts'
import type { FailureValue } from '../../contract/failure.ts'
import type { HistoryRow } from '../prefix/history.ts'
import type { PrefixState, Transition } from '../prefix/state.ts'
import type { Stop } from '../prefix/parts.ts'
import { applyCharge, chargeOf } from './charge.ts'
import { countsDoubt, doubtAfter, doubtRow } from './counts-doubt.ts'
import type { Effect } from '../prefix/effect.ts'
import type { Price, Primitive } from '../model/facts.ts'
import { believable, NO_COUNTS } from '../model/usage.ts'
import type { Usage } from '../model/usage.ts'
import type { Purpose } from '../prefix/receipt.ts'

/** One of our calls that failed. */
export interface FailedCall {
  at: number
  failure: FailureValue
  /** False: the provider did not accept it. Null: unknown, so the worst case is charged. */
  accepted: false | null
  /** True: a retry cannot succeed. */
  permanent: boolean
  /** True: the provider does not accept this primitive. */
  primitiveRefused: boolean
  /** True: the provider does not serve the region of the call, and another region is left. */
  elsewhere?: boolean
  /** Wait that the provider asked for; null: none. */
  retryAfterMs: number | null
  purpose: Purpose
  primitive: Primitive
  latencyMs: number
  /** What the provider counted although it failed; absent: nothing. Such a call is billed. */
  usage?: Usage
  /** The price when it was sent. */
  price?: Price | null
  /** Name of the retention that the call asked for. */
  retention?: string
  /** The context window of the model; absent: not known. */
  contextTokens?: number | undefined
  /** The most tokens that it was expected to have; absent or null: no bound is known. */
  mostTokens?: number | null
}

/** The failure for callers, with the wait that the provider asked for. */
function withWait({ failure, retryAfterMs }: FailedCall): FailureValue {
  if (retryAfterMs === null) return failure
  return { ...failure, detail: { ...failure.detail, retry_after_seconds: Math.ceil(retryAfterMs / 1_000) } }
}

/**
 * Applies a failed call. A call whose outcome is unknown is charged what its answer counted, else `worstNanos`, the amount reserved for it,
 * and stays in the history as unknown. `primitives`: how many primitives the prefix has to try.
 */
export function applyFailure(
  before: PrefixState,
  call: FailedCall,
  worstNanos: number | null,
  primitives: number,
): Transition {
  const charge = call.accepted === null ? chargeUnknown(before, call, worstNanos) : { patch: {}, rows: [] }
  const failed: PrefixState = {
    ...before,
    ...charge.patch,
    generation: before.generation + 1,
    lastFailure: { at: call.at, failure: withWait(call), againAt: call.at + call.latencyMs + (call.retryAfterMs ?? 0) },
    failuresInRow: before.failuresInRow + 1,
  }
  const next = afterFailure(failed, call, primitives)
  return { state: { ...failed, ...next.patch }, rows: [...charge.rows, ...next.rows] }
}

function chargeUnknown(before: PrefixState, call: FailedCall, worstNanos: number | null): Effect {
  const { at, purpose, primitive, latencyMs, usage: given = NO_COUNTS, price = null, retention = '' } = call
  const usage = believable(given, call.contextTokens)
  const cost = chargeOf(usage, price, retention, worstNanos)
  const charge = applyCharge(before, cost, purpose, at)
  const counts = { usage, charge: cost, worstNanos, mostTokens: call.mostTokens ?? null }
  const doubt = countsDoubt(given, at, counts)
  const how =
    cost.provedNanos === null ? 'charged at its worst case' : 'the answer counted tokens, and is charged for them'
  const why = `outcome unknown (${call.failure.kind}): ${how}`
  const counted = call.usage === undefined ? null : usage
  const outcome = { kind: 'unknown', usage: counted, costNanos: cost.nanos, model: null } as const
  return {
    patch: { ...charge.patch, ...doubtAfter(before, doubt, counts), probes: before.probes + 1, unsettledAt: at },
    rows: [
      { at, type: 'receipt', purpose, primitive, latencyMs, why, ...outcome },
      ...(doubt === null ? [] : [doubtRow(doubt)]),
      ...charge.rows,
    ],
  }
}

/** The next primitive, another region, or a stop where a retry cannot succeed. */
function afterFailure({ primitiveIndex, failuresInRow }: PrefixState, call: FailedCall, primitives: number): Effect {
  const { at, failure } = call
  const row = (decision: string, why: string): HistoryRow => ({ at, type: 'decision', decision, why })
  if (call.primitiveRefused && primitiveIndex + 1 < primitives) {
    const patch = { primitiveIndex: primitiveIndex + 1, failuresInRow: failuresInRow - 1 }
    const why = `the provider refused ${call.primitive}; the next kind of probe is used from now on`
    return { patch, rows: [row('primitive', why)] }
  }
  if (call.elsewhere === true) {
    const why = 'the provider does not serve the region of the call; it is sent once from another region'
    return { patch: {}, rows: [row('egress', why)] }
  }
  // The row is written even where the plan is off and has nothing to stop.
  const rows = [row('failed', `${failure.kind}: ${failure.message}`)]
  const isFinal = call.permanent || call.primitiveRefused || !FAILURES[failure.kind].retryable
  return { patch: isFinal ? { stopped: stopFor(call) } : {}, rows }
}

function stopFor({ at, failure, permanent }: FailedCall): Stop {
  const why = `${failure.kind}: ${failure.message.replace(/\.$/, '')}. A retry cannot succeed. When the cause is fixed, PATCH keep_warm or POST /prefixes/{id}/warm starts the plan again`
  return { reason: permanent && failure.kind === 'provider_limited' ? 'quota_spent' : 'provider_refused', at, why }
}
