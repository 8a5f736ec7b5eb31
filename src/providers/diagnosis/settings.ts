import type { Verdict } from '../../core/diagnosis/verdicts.ts'
import { firstLeaf, isObject } from './values.ts'

/** Members of a body, or of one of its objects, and what a change of them is called. */
const NAMES: Readonly<Record<string, Verdict>> = {
  speed: 'model_changed',
  tool_choice: 'tool_choice_changed',
  toolChoice: 'tool_choice_changed',
  toolConfig: 'tool_choice_changed',
  tool_config: 'tool_choice_changed',
  functionCallingConfig: 'tool_choice_changed',
  parallel_tool_calls: 'tool_choice_changed',
  function_call: 'tool_choice_changed',
  disable_parallel_tool_use: 'tool_choice_changed',
  functions: 'tools_changed',
  mcp_servers: 'tools_changed',
  effort: 'effort_changed',
  reasoning_effort: 'effort_changed',
  reasoningEffort: 'effort_changed',
  thinking: 'thinking_changed',
  thinkingConfig: 'thinking_changed',
  thinking_config: 'thinking_changed',
  enable_thinking: 'thinking_changed',
  chat_template_kwargs: 'thinking_changed',
  reasoning: 'thinking_changed',
  reasoning_config: 'thinking_changed',
  response_format: 'response_schema_changed',
  output_format: 'response_schema_changed',
  format: 'response_schema_changed',
  responseSchema: 'response_schema_changed',
  response_schema: 'response_schema_changed',
  responseJsonSchema: 'response_schema_changed',
  responseMimeType: 'response_schema_changed',
  verbosity: 'response_schema_changed',
  outputConfig: 'response_schema_changed',
  betas: 'beta_changed',
  anthropic_beta: 'beta_changed',
  service_tier: 'service_tier_changed',
  serviceTier: 'service_tier_changed',
  context_management: 'history_rewritten',
}

/** Names a change of a setting by the innermost member that it concerns. Null: it is none that has a name. */
export function settingVerdict(name: string, before: string, after: string): { verdict: Verdict; path: string } | null {
  const [one, other] = [parsed(before), parsed(after)]
  const leaf = firstLeaf(whole(name, one, other), whole(name, other, one))
  const path = leaf === null || leaf.path === '' ? name : `${name}.${leaf.path}`
  const verdict = verdictAt(path)
  return verdict === null ? null : { verdict, path }
}

/** What a change at a path in the settings is called; null: it has no name. */
export function verdictAt(path: string): Verdict | null {
  const parts = path.split(/[.[\]]/)
  const known = parts.findLast((part) => Object.hasOwn(NAMES, part))
  // A schema is the format's, whatever its members are called.
  const outer = parts.find((part) => NAMES[part] === 'response_schema_changed' && part !== 'verbosity')
  return NAMES[outer ?? known ?? ''] ?? null
}

/** Members of settings that have no verdict of their own, and no words of a caller. */
const PLAIN = new Set([
  'type',
  'budget_tokens',
  'thinkingBudget',
  'thinkingLevel',
  'includeThoughts',
  'summary',
  'mode',
])

/** A part of a setting, as it can be remembered without its value. */
export interface SettingPart {
  path: string
  text: string
}

/** The parts of a setting whose names are those of the wire format. What a caller named, as in a schema, stays one part with its parent. */
export function partsOf(name: string, text: string): SettingPart[] {
  const found: SettingPart[] = []
  const add = (path: string, value: unknown): void => {
    if (!isObject(value)) return void found.push({ path, text: JSON.stringify(value) ?? '' })
    const isKnown = (key: string): boolean =>
      (Object.hasOwn(NAMES, key) || PLAIN.has(key)) && verdictAt(path) !== 'response_schema_changed'
    const rest = Object.entries(value).filter(([key]) => !isKnown(key))
    if (rest.length > 0 || Object.keys(value).length === 0) found.push({ path, text: JSON.stringify(rest) })
    for (const [key, inner] of Object.entries(value)) if (isKnown(key)) add(`${path}.${key}`, inner)
  }
  add(name, parsed(text))
  return found
}

/** An absent object is compared member by member with the other one. */
function whole(_name: string, value: unknown, other: unknown): unknown {
  return value === undefined && isObject(other) ? {} : value
}

function parsed(text: string): unknown {
  if (text === '') return undefined
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
