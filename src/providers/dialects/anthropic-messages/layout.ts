import { FORCED_TOOL, isOneOf, KEEP_TOOL_CHOICE, section } from '../shared/layout.ts'
import { stringMember } from '../../../core/prompt/json-text.ts'
import type { JsonMember, JsonNode } from '../../../core/prompt/json-text.ts'
import { MARKER, MAX_MARKERS } from './markers.ts'
import type { LintLayout, ParameterRule, Section } from '../../dialect.ts'

export const SECTIONS: readonly Section[] = [
  { ...section('list', ['tools']), unsaidIn: defaultKind },
  section('blocks', ['system']),
  section('turns', ['messages']),
]

/**
 * A tool with a schema of its own is "custom", said or not.
 * Source: platform.claude.com tool use, "define tools", and the types of @anthropic-ai/sdk 1.14.0 (`Tool.type`), checked 2026-11-30.
 */
function defaultKind(tool: JsonNode): JsonMember[] {
  return tool.type !== 'object' || stringMember(tool, 'type') !== 'custom'
    ? []
    : tool.members.filter(({ key }) => key === 'type')
}

/** Blocks that a lookup goes back from a marker. Source: platform.claude.com prompt caching pages, checked 2026-11-21. */
export const LOOKBACK = 20

/** Source: platform.claude.com prompt caching, "what invalidates the cache", checked 2026-11-21. */
const PARAMETERS: readonly ParameterRule[] = [
  { path: ['tool_choice'], when: isOneOf('any', 'tool', 'none'), message: FORCED_TOOL, fix: KEEP_TOOL_CHOICE },
  {
    path: ['thinking'],
    when: isOneOf('enabled'),
    spares: ({ settingsBeforeMessages }) => settingsBeforeMessages === true,
    message:
      'The prompt contains the thinking budget. Calls with another budget, or without thinking, do not read this entry.',
    fix: 'Keep thinking the same in all calls that share the prefix.',
  },
  {
    path: ['context_management'],
    when: ({ type }) => type !== 'null',
    message: 'Context management removes older turns from the prompt. Each time, the text after them is written again.',
    fix: 'Set its threshold so that it clears rarely and much at once.',
  },
]

export const LINT: LintLayout = {
  tools: ['tools'],
  system: ['system'],
  turns: 'messages',
  parts: 'content',
  marker: MARKER,
  maxMarkers: MAX_MARKERS,
  lookback: LOOKBACK,
  parameters: PARAMETERS,
}
