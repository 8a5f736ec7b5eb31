import { signalAfter } from '../prefix/signal.ts'
import type { PrefixState, Transition } from '../prefix/state.ts'
import { NO_LOSS } from '../prefix/parts.ts'

/** A person or a caller asked for it: whatever had stopped the plan is forgotten, and evidence against caching is doubted once. */
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

/** A write that somebody asked for was answered: a plan that had stopped goes on. One that is off stays so, and tells of no beginning. */
export function resume(before: PrefixState, now: number): Transition {
  if (before.stopped?.reason === 'plan_off') return { state: restart(before, now), rows: [] }
  const why = `a warm was asked for; the plan goes on (it had stopped: ${before.stopped?.reason ?? 'not'})`
  return { state: restart(before, now), rows: [{ at: now, type: 'decision', decision: 'resume', why }] }
}
