import { isSameQuestion, likeness } from '../../providers/diagnosis/sketch-compare.ts'
import type { Sketch } from '../../providers/diagnosis/sketch.ts'
import { readSketch } from '../../providers/diagnosis/sketch-text.ts'
import type { PassedCall } from './passed-call.ts'

/** Share of an earlier body that a later one must have for the two to be one conversation. */
export const ALIKE = 0.3

/** Whether a call goes on with the conversation of an earlier one. A session holds several, such as those of helpers. */
export function isOfConversation(before: PassedCall | undefined, sketch: Sketch, { model }: PassedCall): boolean {
  const earlier = before === undefined ? null : readSketch(before.sketch)
  if (before === undefined || earlier === null) return false
  return likeness(earlier, sketch) >= ALIKE || (before.model === model && isSameQuestion(earlier, sketch))
}
