import { signalAfter } from '../prefix/signal.ts'
import type { PrefixState, Transition } from '../prefix/state.ts'
import { NO_LOSS } from '../prefix/parts.ts'

/** Restarts the plan by request: clears stop, failures and loss. Proof that the prefix is uncacheable is dropped, to be tested again. */
export function restart(before: PrefixState, now: number): PrefixState {
  const { signal = null } = before
  return {
    ...before,
    ...(before.trial === undefined ? {} : { trial: { ...before.trial, lifted: true as const } }),
    ...(signal?.kind === 'end' ? { signal: signalAfter(before, now) } : {}),
    generation: before.generation + 1,
    stopped: null,
    plannedAt: now,
    probesSinceArrival: 0,
    failuresInRow: 0,
    lastFailure: null,
    silentInRow: 0,
    loss: NO_LOSS,
    verdict: before.verdict === 'uncacheable' ? 'none' : before.verdict,
    readZeroInRow: before.verdict === 'uncacheable' ? 0 : before.readZeroInRow,
  }
}

/** A write by request was answered: a stopped plan goes on, with a history row. A plan that is off stays off, without a row. */
export function resume(before: PrefixState, now: number): Transition {
  if (before.stopped?.reason === 'plan_off') return { state: restart(before, now), rows: [] }
  const why = `a write was requested; the plan continues (it had stopped: ${before.stopped?.reason ?? 'not'})`
  return { state: restart(before, now), rows: [{ at: now, type: 'decision', decision: 'resume', why }] }
}
