import { measuredFirstToken, medianMs, shareWithin } from './first-token.ts'
import type { FirstTokenTimes, Measured } from './first-token.ts'
import type { PrefixState } from './state.ts'

/**
 * What a target for the first token asks of the plan. `warmShare`: the share of requests that must find the entry warm, 0 to 1;
 * 0: nothing beyond what pays for itself. `why` says it with the measured times, as the rest of a sentence.
 */
export interface LatencyTarget {
  warmShare: number
  reached: 'by_warmth' | 'always' | 'never'
  why: string
}

/** The members of a plan that state a target. */
interface Wanted {
  ttftTargetMs?: number | null
  ttftShare?: number
}

/**
 * The target of `keep_warm`, from the measured times of this prefix; null where there is none.
 * Requests meet it warm with the share `warm`, and cold with the share `cold`; so `cold + x (warm - cold)` is the share that meets it
 * when a share `x` finds the entry warm. Before a time was measured, warm is taken to meet it and cold to miss it.
 */
export function latencyTarget(
  { ttft }: Pick<PrefixState, 'ttft'>,
  { ttftTargetMs, ttftShare }: Wanted,
): LatencyTarget | null {
  if (ttftTargetMs == null || ttftShare === undefined) return null
  const warm = measuredFirstToken(ttft, 'warm')
  const cold = coldAsRequest(ttft, warm)
  const warmMeets = warm === null ? 1 : shareWithin(warm.timesMs, ttftTargetMs)
  const coldMeets = cold === null ? 0 : shareWithin(cold.timesMs, ttftTargetMs)
  const known = [
    warm === null ? 'warm not measured yet' : `warm ${medianMs(warm)} ms`,
    cold === null ? 'cold not measured yet' : `cold ${medianMs(cold)} ms`,
  ].join(', ')
  const wanted = `${percent(ttftShare)} of requests within ${ttftTargetMs} ms to the first token (${known})`
  if (coldMeets >= ttftShare) return { warmShare: 0, reached: 'always', why: `${wanted}: also met cold` }
  // Most requests are too slow even warm: no keep-alive brings the target nearer at a sensible cost.
  if (warmMeets < 0.5 || warmMeets <= coldMeets)
    return { warmShare: 0, reached: 'never', why: `${wanted}: not met even warm` }
  return {
    warmShare: Math.min(1, (ttftShare - coldMeets) / (warmMeets - coldMeets)),
    reached: 'by_warmth',
    why: wanted,
  }
}

/**
 * The cold times of requests. Where only our own calls were cold, they are moved by what requests took longer warm than our own calls:
 * requests send more behind the prefix, and never begin sooner cold than warm.
 */
function coldAsRequest(ttft: FirstTokenTimes | undefined, warm: Measured | null): Measured | null {
  const cold = measuredFirstToken(ttft, 'cold')
  if (cold?.from !== 'probes' || warm?.from !== 'requests') return cold
  const own = ttft?.probeWarm ?? []
  const ownMs = own.length === 0 ? 0 : medianMs({ timesMs: own, from: 'probes' })
  const moreMs = Math.max(0, medianMs(warm) - ownMs)
  return { ...cold, timesMs: cold.timesMs.map((ms) => ms + moreMs) }
}

function percent(share: number): string {
  return `${Math.round(share * 1_000) / 10} %`
}
