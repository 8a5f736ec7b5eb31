import { member } from '../../../core/prompt/json-text.ts'
import { FORCED_TOOL, KEEP_TOOL_CHOICE, section } from '../shared/layout.ts'
import { LOOKBACK } from '../anthropic-messages/layout.ts'
import { MAX_POINTS, POINT } from './cache-points.ts'
import type { LintLayout, Section } from '../../dialect.ts'

export const SECTIONS: readonly Section[] = [
  section('list', ['tools'], { outer: 'toolConfig' }),
  section('blocks', ['system']),
  section('turns', ['messages']),
]

/**
 * The lookback and the effect of a forced tool are those of Anthropic's models. Source: platform.claude.com prompt caching pages, checked
 * 2026-11-21.
 */
export const LINT: LintLayout = {
  tools: ['toolConfig', 'tools'],
  system: ['system'],
  turns: 'messages',
  parts: 'content',
  marker: POINT,
  maxMarkers: MAX_POINTS,
  lookback: LOOKBACK,
  parameters: [
    {
      path: ['toolConfig', 'toolChoice'],
      when: (node) => member(node, 'any') !== undefined || member(node, 'tool') !== undefined,
      message: FORCED_TOOL,
      fix: KEEP_TOOL_CHOICE,
    },
  ],
}
