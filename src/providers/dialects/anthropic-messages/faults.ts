import { items, member, stringMember } from '../../../core/prompt/json-text.ts'
import type { JsonNode, JsonObject } from '../../../core/prompt/json-text.ts'
import type { ModelFacts } from '../../../core/model/facts.ts'
import { isDeferred, readBody } from '../shared/body.ts'
import { callMembers, emptyText, isBlankText, markerFaults, tooMany } from '../shared/faults.ts'
import type { Fault } from '../../dialect.ts'
import { MARKER, MAX_MARKERS, UNMARKABLE } from './markers.ts'

/** A block of the prompt that may carry a marker. */
interface Place {
  node: JsonNode
  path: string
  part: 'tools' | 'system' | 'messages'
}

/**
 * What the Messages API is known to refuse. Sources: platform.claude.com prompt caching, extended thinking and the guides for moving to
 * Opus 4.7 and Sonnet 5; the API's own words in anthropics/claude-code#50082 and anthropic-sdk threads. Checked 2026-11-30.
 */
export function messagesFaults(text: string, facts: ModelFacts, retentions: readonly string[]): Fault[] {
  const { root } = readBody(text)
  const places = placesOf(root)
  const top = member(root, MARKER)
  const marked = places
    .filter(({ node }) => member(node, MARKER)?.type === 'object')
    .map(({ path }) => `${path}.${MARKER}`)
  return [
    ...callMembers(root, true),
    ...(top === undefined ? [] : markerFaults(top, MARKER, { type: 'ephemeral', retentions })),
    ...places.flatMap((place) => placeFaults(place, retentions)),
    ...roleFaults(root),
    ...deferredFaults(root),
    ...tooMany(top?.type === 'object' ? [...marked, MARKER] : marked, MAX_MARKERS),
    ...thinkingFaults(root, text, facts),
    ...samplingFaults(root, text, facts),
  ]
}

function placesOf(root: JsonObject): Place[] {
  const listed = (node: JsonNode | undefined, path: string, part: Place['part']): Place[] =>
    node?.type === 'string'
      ? [{ node, path, part }]
      : items(node).map((one, index) => ({ node: one, path: `${path}[${index}]`, part }))
  const system = member(root, 'system')
  return [
    ...listed(member(root, 'tools'), 'tools', 'tools'),
    // An empty string is taken for no system prompt.
    ...(system?.type === 'string' ? [] : listed(system, 'system', 'system')),
    ...items(member(root, 'messages')).flatMap((message, index) =>
      listed(member(message, 'content'), `messages[${index}].content`, 'messages'),
    ),
  ]
}

function placeFaults({ node, path, part }: Place, retentions: readonly string[]): Fault[] {
  const marker = member(node, MARKER)
  const at = `${path}.${MARKER}`
  const own = marker === undefined ? [] : markerFaults(marker, at, { type: 'ephemeral', retentions })
  const isBlank =
    part !== 'tools' && (node.type === 'string' || stringMember(node, 'type') === 'text') && isBlankText(node)
  if (marker === undefined || marker.type === 'null') return isBlank ? [emptyText(path)] : own
  const cannot = (cause: string, what: string, fix: string): Fault[] => [
    ...own,
    { path: at, cause, what, fix, refused: true },
  ]
  if (isBlank) {
    const fix = 'Leave the block out, and mark the one in front of it.'
    return cannot('marker_on_empty_text', 'empty text cannot carry a marker', fix)
  }
  if (UNMARKABLE.has(stringMember(node, 'type') ?? '')) {
    return cannot('marker_on_thinking', 'a thinking block cannot carry a marker', 'Mark another block.')
  }
  if (part === 'tools' && isDeferred(node)) {
    const fix = 'Mark the last tool that is not deferred.'
    return cannot('marker_on_deferred_tool', 'a deferred tool cannot carry a marker', fix)
  }
  return own
}

const ROLES = new Set(['user', 'assistant', 'system'])

function roleFaults(root: JsonObject): Fault[] {
  return items(member(root, 'messages')).flatMap((message, index) => {
    // A message that is no object has a failure of its own.
    if (message.type !== 'object') return []
    const role = stringMember(message, 'role')
    if (role !== undefined && ROLES.has(role)) return []
    const what = 'must be "user" or "assistant"'
    const fix = 'Results of tools stand in a message of the user, and the system prompt in system.'
    return [{ path: `messages[${index}].role`, cause: 'unknown_role', what, fix, refused: true }]
  })
}

/** Source: the API's own words in github.com/nearai/ironclaw/issues/7274, checked 2026-11-30. */
function deferredFaults(root: JsonObject): Fault[] {
  const tools = items(member(root, 'tools'))
  if (tools.length === 0 || !tools.every(isDeferred)) return []
  const fix = 'Leave out defer_loading at the tool that finds the others.'
  return [
    { path: 'tools', cause: 'all_tools_deferred', what: 'one tool at least must not be deferred', fix, refused: true },
  ]
}

/** The smallest budget for thinking. Source: platform.claude.com extended thinking, checked 2026-11-30. */
const LEAST_BUDGET = 1024

function thinkingFaults(root: JsonObject, text: string, { refuses = [] }: ModelFacts): Fault[] {
  const thinking = member(root, 'thinking')
  if (stringMember(thinking, 'type') !== 'enabled') return []
  if (refuses.includes('thinking')) {
    const fix = 'Use {"type":"adaptive"}, and output_config.effort for its depth.'
    const what = 'this model takes no budget for thinking'
    return [{ path: 'thinking.type', cause: 'thinking_not_taken', what, fix, refused: true }]
  }
  const budget = numberOf(member(thinking, 'budget_tokens'), text)
  if (budget !== null && Number.isSafeInteger(budget) && budget >= LEAST_BUDGET) return []
  const what = `must be a whole number from ${LEAST_BUDGET}`
  return [
    { path: 'thinking.budget_tokens', cause: 'thinking_budget', what, fix: 'Give a larger budget.', refused: true },
  ]
}

/** Probes carry no sampling parameters. Real requests with them are refused where they differ from the default. */
function samplingFaults(root: JsonObject, text: string, { refuses = [] }: ModelFacts): Fault[] {
  if (!refuses.includes('sampling')) return []
  return ['temperature', 'top_p', 'top_k'].flatMap((path) => {
    const node = member(root, path)
    if (node === undefined || node.type === 'null' || numberOf(node, text) === 1) return []
    const what = 'this model takes no sampling parameter, and refuses real requests with it'
    return [{ path, cause: 'sampling_not_taken', what, fix: 'Leave it out.', refused: false }]
  })
}

function numberOf(node: JsonNode | undefined, text: string): number | null {
  return node?.type === 'number' ? Number(text.slice(node.start, node.end)) : null
}
