import { Failure } from '../../../contract/failure.ts'
import { edit, objectEdits } from '../../../core/prompt/json-edit.ts'
import { member, stringMember } from '../../../core/prompt/json-text.ts'
import type { JsonObject } from '../../../core/prompt/json-text.ts'
import type { Primitive } from '../../../core/model/facts.ts'
import { appendTo, PLACEHOLDER_TEXT, invalid, readBody } from '../shared/body.ts'
import type { Body } from '../shared/body.ts'
import { endMarkerEdits } from './end.ts'
import { MARKER } from './markers.ts'
import type { PreparedPrefix, ProbeRequest } from '../../dialect.ts'

/** Sampling parameters: they change no entry, and models that take none refuse them. */
const SAMPLING = { temperature: null, top_p: null, top_k: null, stop_sequences: null }

/** Whether the body asks for thinking with a budget, which the output of an answer has to exceed. */
export function hasBudget(root: JsonObject): boolean {
  return stringMember(member(root, 'thinking'), 'type') === 'enabled'
}

export function probe(
  prefix: Pick<PreparedPrefix, 'text' | 'model' | 'breakpoint'>,
  options: { primitive: Primitive; retention: string; outputTokens?: number },
): ProbeRequest {
  const body = readBody(prefix.text)
  const { root } = body
  const cap = outputCap(body, options)
  const edits = endMarkerEdits(body, options.retention)

  const placeholder = `{"role":"user","content":${JSON.stringify(PLACEHOLDER_TEXT)}}`
  const appended = appendTo(root, 'messages', placeholder)
  edits.push(
    ...(appended ?? []),
    ...objectEdits(root, {
      max_tokens: String(cap),
      stream: null,
      [MARKER]: null,
      ...SAMPLING,
      ...(options.primitive === 'floor_tokens' ? {} : withoutBudget(root)),
      ...(member(root, 'model') === undefined ? { model: JSON.stringify(prefix.model) } : {}),
      ...(appended === null ? { messages: `[${placeholder}]` } : {}),
    }),
  )
  return { path: '/messages', body: edit(body.text, edits), outputTokens: cap }
}

/** Only bodies that spare their thinking have another primitive than `floor_tokens` beside a budget. */
function withoutBudget(root: JsonObject): Record<string, null> {
  return hasBudget(root) ? { thinking: null } : {}
}

function outputCap({ text, root }: Body, options: { primitive: Primitive; outputTokens?: number }): number {
  const thinking = member(root, 'thinking')
  if (hasBudget(root) && options.primitive === 'floor_tokens') {
    const budget = member(thinking, 'budget_tokens')
    const tokens = budget?.type === 'number' ? Number(text.slice(budget.start, budget.end)) : Number.NaN
    if (!Number.isSafeInteger(tokens) || tokens < 1)
      throw invalid('request.thinking.budget_tokens', 'must be a whole number')
    // The cap must exceed the budget.
    return Math.max(options.outputTokens ?? 0, tokens + 1)
  }
  switch (options.primitive) {
    case 'zero_output':
      return 0
    case 'one_token':
    case 'floor_tokens':
      return Math.max(1, options.outputTokens ?? 1)
    default:
      throw new Failure('unsupported', 'This wire format does not support this kind of probe.', {
        primitive: options.primitive,
      })
  }
}
