import { markerText } from '../providers/dialects/anthropic-messages/markers.ts'
import { pointText } from '../providers/dialects/bedrock-converse/cache-points.ts'
import type { Advice } from '../core/model/advice.ts'

/** Causes whose message quotes the marker to write. */
const SHOW_MARKER: ReadonlySet<string> = new Set([
  'no_marker',
  'end_not_marked',
  'automatic_marker',
  'marker_behind_prefix',
])

/**
 * Advice that was written for retention `registered`, re-evaluated for the retention `inForce`: it quotes markers of that one,
 * and leaves out a comparison that no longer holds.
 */
export function markerAdvice(advice: readonly Advice[], registered: string, inForce: string): Advice[] {
  if (registered === inForce) return [...advice]
  return advice.flatMap((one) => {
    if (one.cause === 'marker_says_otherwise') return []
    if (!SHOW_MARKER.has(one.cause)) return [one]
    const message = one.message
      .replaceAll(markerText(registered), markerText(inForce))
      .replaceAll(pointText(registered), pointText(inForce))
    return [{ ...one, message }]
  })
}
