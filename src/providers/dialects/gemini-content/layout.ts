import { section } from '../shared/layout.ts'
import type { LintLayout, Section } from '../../dialect.ts'

/** The API takes protobuf JSON: each member has two spellings. */
export const SYSTEM = ['systemInstruction', 'system_instruction']
export const TOOL_CONFIG = ['toolConfig', 'tool_config']
export const GENERATION = ['generationConfig', 'generation_config']
export const HANDLE = ['cachedContent', 'cached_content']

export const SECTIONS: readonly Section[] = [
  section('value', SYSTEM),
  section('list', ['tools']),
  section('value', TOOL_CONFIG),
  section('turns', ['contents'], { parts: 'parts' }),
]

export const LINT: LintLayout = {
  tools: ['tools'],
  system: SYSTEM,
  turns: 'contents',
  parts: 'parts',
  marker: null,
  maxMarkers: null,
  lookback: null,
  parameters: [],
}
