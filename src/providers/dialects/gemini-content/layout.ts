import { section } from '../shared/layout.ts'
import { isDefaultToolConfig, SYSTEM, TOOL_CONFIG } from './settings.ts'
import type { LintLayout, Section } from '../../dialect.ts'

export const SECTIONS: readonly Section[] = [
  section('value', SYSTEM),
  section('list', ['tools']),
  { ...section('value', TOOL_CONFIG), isUnsaid: isDefaultToolConfig },
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
