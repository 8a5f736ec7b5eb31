import { markerText } from '../providers/dialects/anthropic-messages/markers.ts'
import { pointText } from '../providers/dialects/bedrock-converse/cache-points.ts'
import type { Advice } from '../core/model/advice.ts'

/** Remarks that show the marker to write. */
const SHOW_MARKER: ReadonlySet<string> = new Set([
  'no_marker',
  'end_not_marked',
  'automatic_marker',
  'marker_behind_prefix',
])

/**
 * What was said of the markers of a body when it was prepared at `said`, as it holds at the retention in force: the markers that it
 * shows are of that one, and a comparison with one that is not in force is left out.
 */
export function markerAdvice(advice: readonly Advice[], said: string, inForce: string): Advice[] {
  if (said === inForce) return [...advice]
  return advice.flatMap((one) => {
    if (one.cause === 'marker_says_otherwise') return []
    if (!SHOW_MARKER.has(one.cause)) return [one]
    const message = one.message
      .replaceAll(markerText(said), markerText(inForce))
      .replaceAll(pointText(said), pointText(inForce))
    return [{ ...one, message }]
  })
}
