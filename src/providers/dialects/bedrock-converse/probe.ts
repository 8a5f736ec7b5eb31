import { Failure } from '../../../contract/failure.ts'
import { arrayEdits, edit, objectEdits } from '../../../core/prompt/json-edit.ts'
import type { Edit } from '../../../core/prompt/json-edit.ts'
import { items, member, stringMember } from '../../../core/prompt/json-text.ts'
import type { ModelFacts, Primitive } from '../../../core/model/facts.ts'
import { invalid, PLACEHOLDER_TEXT, readBody } from '../shared/body.ts'
import type { Body } from '../shared/body.ts'
import { sparesThinking } from '../shared/thinking.ts'
import { endPointEdits } from './end.ts'
import type { PreparedPrefix, ProbeOptions, ProbeRequest } from '../../dialect.ts'

/** Token budget of thinking; null: none. The output cap must exceed it. */
export function thinkingBudget({ text, root }: Body): number | null {
  const thinking = member(member(root, 'additionalModelRequestFields'), 'thinking')
  if (stringMember(thinking, 'type') !== 'enabled') return null
  const budget = member(thinking, 'budget_tokens')
  const tokens = budget?.type === 'number' ? Number(text.slice(budget.start, budget.end)) : Number.NaN
  if (Number.isSafeInteger(tokens) && tokens > 0) return tokens
  throw invalid('request.additionalModelRequestFields.thinking.budget_tokens', 'must be a whole number')
}

/** `floor_tokens` carries the thinking of the body, and `one_token` leaves it out. */
export function primitives(text: string, facts: ModelFacts): Primitive[] {
  const body = readBody(text)
  if (thinkingBudget(body) === null) return facts.primitives
  return sparesThinking(body.root, facts) ? ['one_token'] : ['floor_tokens']
}

/**
 * Settings of a probe beside the prompt: no sampling, and thinking only where it is rendered in front of the end. Source for thinking:
 * the AWS guides to prompt caching and extended thinking, checked 2026-11-30.
 */
function settingEdits({ root }: Body, cap: number, keepsThinking: boolean): Edit[] {
  const more = member(root, 'additionalModelRequestFields')
  const config = member(root, 'inferenceConfig')
  const dropped = { top_k: null, top_p: null, ...(keepsThinking ? {} : { thinking: null }) }
  const fields = more?.type === 'object' ? objectEdits(more, dropped) : []
  if (config?.type === 'object') return [...fields, ...objectEdits(config, { ...SAMPLING, maxTokens: String(cap) })]
  return fields
}

const SAMPLING = { temperature: null, topP: null, stopSequences: null }

export function probe(
  prefix: Pick<PreparedPrefix, 'text' | 'model' | 'breakpoint'>,
  { primitive, retention, outputTokens }: ProbeOptions,
): ProbeRequest {
  if (primitive !== 'one_token' && primitive !== 'floor_tokens') {
    throw new Failure('unsupported', 'This wire format does not support this kind of probe.', { primitive })
  }
  const body = readBody(prefix.text)
  const { root } = body
  const turn = items(member(root, 'messages')).at(-1)
  const placeholder = `{"text":${JSON.stringify(PLACEHOLDER_TEXT)}}`
  // Roles must alternate: after a user's message the placeholder is one more block of it.
  const joins = turn !== undefined && stringMember(turn, 'role') === 'user'
  const edits = endPointEdits(root, retention, joins ? [placeholder] : [])

  const keepsThinking = primitive === 'floor_tokens'
  const budget = keepsThinking ? thinkingBudget(body) : null
  const cap = Math.max(1, outputTokens ?? 1, budget === null ? 0 : budget + 1)
  const changes: Record<string, string | null> = {}
  if (member(root, 'modelId') !== undefined) changes['modelId'] = null
  edits.push(...settingEdits(body, cap, keepsThinking))
  if (member(root, 'inferenceConfig')?.type !== 'object') changes['inferenceConfig'] = `{"maxTokens":${cap}}`
  if (!joins) {
    const message = `{"role":"user","content":[${placeholder}]}`
    const list = member(root, 'messages')
    if (list?.type === 'array') edits.push(...arrayEdits(list, () => true, [message]))
    else changes['messages'] = `[${message}]`
  }
  edits.push(...objectEdits(root, changes))
  return {
    path: `/model/${encodeURIComponent(prefix.model)}/converse`,
    body: edit(body.text, edits),
    outputTokens: cap,
  }
}
