import { FORCED_TOOL, isOneOf, KEEP_TOOL_CHOICE, section } from '../shared/layout.ts'
import { MARKER, MAX_MARKERS } from './markers.ts'
import type { LintLayout, ParameterRule, Section } from '../../dialect.ts'

export const SECTIONS: readonly Section[] = [
  section('list', ['tools']),
  section('blocks', ['system']),
  section('turns', ['messages']),
]

/** Blocks that a lookup goes back from a marker. Source: platform.claude.com prompt caching pages, checked 2026-11-21. */
export const LOOKBACK = 20

/** Source: platform.claude.com prompt caching, "what invalidates the cache", checked 2026-11-21. */
const PARAMETERS: readonly ParameterRule[] = [
  { path: ['tool_choice'], when: isOneOf('any', 'tool', 'none'), message: FORCED_TOOL, fix: KEEP_TOOL_CHOICE },
  {
    path: ['thinking'],
    when: isOneOf('enabled'),
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
