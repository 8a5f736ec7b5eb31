import { member } from '../../../core/prompt/json-text.ts'
import { readBody } from '../shared/body.ts'
import { callMembers } from '../shared/faults.ts'
import type { Fault } from '../../dialect.ts'

/**
 * What generateContent is known to refuse: members that it does not know (400, "Unknown name"). Source: ai.google.dev, the method's
 * reference, and @google/genai 3.3.0, whose calls have a `config` where the body has none. Checked 2026-11-30.
 */
export function geminiFaults(text: string): Fault[] {
  const { root } = readBody(text)
  const found = callMembers(root, true)
  if (member(root, 'config')?.type !== 'object') return found
  const what = "is a member of an SDK's call, and no member of the body"
  const fix =
    'Put systemInstruction, tools, toolConfig and safetySettings at the top, and the rest into generationConfig.'
  return [...found, { path: 'config', cause: 'sdk_member', what, fix, refused: true }]
}
