import { items, member, stringMember } from '../../../core/prompt/json-text.ts'
import type { JsonNode, JsonObject } from '../../../core/prompt/json-text.ts'
import type { ModelFacts } from '../../../core/model/facts.ts'
import { readBody } from '../shared/body.ts'
import { callMembers, emptyText, isBlankText, markerFaults, tooMany } from '../shared/faults.ts'
import type { Fault } from '../../dialect.ts'
import { MAX_POINTS, POINT, toolList } from './cache-points.ts'

/**
 * What Converse is known to refuse. Sources: @aws-sdk/client-bedrock-runtime 3.1162.0 types, the AWS prompt caching guide, AWS's model
 * cards, and its own words for blank texts in public issue threads. Checked 2026-11-30.
 */
export function converseFaults(text: string, facts: ModelFacts, retentions: readonly string[]): Fault[] {
  const { root } = readBody(text)
  const lists = [
    { list: toolList(root), path: 'toolConfig.tools' },
    { list: member(root, 'system'), path: 'system' },
    ...items(member(root, 'messages')).map((message, index) => ({
      list: member(message, 'content'),
      path: `messages[${index}].content`,
    })),
  ]
  const blocks = lists.flatMap(({ list, path }) =>
    items(list).map((node, index) => ({ node, path: `${path}[${index}]`, before: items(list)[index - 1] })),
  )
  const points = blocks
    .filter(({ node }) => member(node, POINT)?.type === 'object')
    .map(({ path }) => `${path}.${POINT}`)
  return [
    ...callMembers(root, false),
    ...blocks.flatMap((block) => blockFaults(block, retentions)),
    ...tooMany(points, MAX_POINTS),
    ...thinkingFaults(root, text, facts),
  ]
}

function blockFaults(
  { node, path, before }: { node: JsonNode; path: string; before: JsonNode | undefined },
  retentions: readonly string[],
): Fault[] {
  const point = member(node, POINT)
  if (point !== undefined) {
    const own = markerFaults(point, `${path}.${POINT}`, { type: 'default', retentions })
    if (before === undefined || !isThinking(before)) return own
    const what = 'thinking cannot carry a marker'
    return [...own, { path, cause: 'marker_on_thinking', what, fix: 'Set it behind another block.', refused: false }]
  }
  const control = member(node, 'cache_control')
  if (control !== undefined) {
    const what = "is a marker of Anthropic's own API, and none here"
    const fix = `Set {"${POINT}":{"type":"default"}} behind the block.`
    return [{ path: `${path}.cache_control`, cause: 'marker_type', what, fix, refused: false }]
  }
  return member(node, 'text') !== undefined && isBlankText(node) ? [emptyText(path)] : []
}

function isThinking(node: JsonNode): boolean {
  return member(node, 'reasoningContent') !== undefined
}

function thinkingFaults(root: JsonObject, text: string, { refuses = [] }: ModelFacts): Fault[] {
  const path = 'additionalModelRequestFields.thinking'
  const thinking = member(member(root, 'additionalModelRequestFields'), 'thinking')
  if (stringMember(thinking, 'type') !== 'enabled') return []
  if (refuses.includes('thinking')) {
    const what = 'this model takes no budget for thinking'
    const fix = 'Use {"type":"adaptive"}.'
    return [{ path: `${path}.type`, cause: 'thinking_not_taken', what, fix, refused: true }]
  }
  const budget = member(thinking, 'budget_tokens')
  const tokens = budget?.type === 'number' ? Number(text.slice(budget.start, budget.end)) : Number.NaN
  if (Number.isSafeInteger(tokens) && tokens >= 1024) return []
  const what = 'must be a whole number from 1024'
  const fix = 'Give a larger budget.'
  return [{ path: `${path}.budget_tokens`, cause: 'thinking_budget', what, fix, refused: true }]
}
