import { member } from '../../../core/prompt/json-text.ts'
import type { JsonMember, JsonObject } from '../../../core/prompt/json-text.ts'
import type { ModelFacts } from '../../../core/model/facts.ts'
import type { Body } from '../shared/body.ts'
import { credentialMembers } from '../shared/credentials.ts'
import { settingsOf } from '../shared/settings.ts'
import type { Defaults } from '../shared/settings.ts'
import { MARKER } from './markers.ts'
import type { Setting } from '../../dialect.ts'

/** Members that change neither the prompt nor the entry that it reads: sampling, routing, and what is no parameter of the model. */
const NOT_COMPARED = new Set([
  'model',
  'tools',
  'system',
  'messages',
  'max_tokens',
  'stream',
  'metadata',
  'temperature',
  'top_p',
  'top_k',
  'stop_sequences',
  'service_tier',
  'inference_geo',
  'diagnostics',
  'fallbacks',
  'fallback_credit_token',
  'billing_policy',
  MARKER,
])

/** An effort at the model's default equals none. Source: platform.claude.com prompt caching, checked 2026-11-30. */
const DEFAULTS: Readonly<Record<string, Defaults>> = {
  thinking: { type: ['"disabled"'] },
  tool_choice: { type: ['"auto"'], disable_parallel_tool_use: ['false'] },
  output_config: { effort: ['"high"'], format: [] },
  output_format: [],
  speed: ['"standard"'],
  mcp_servers: ['[]'],
  context_management: { edits: ['[]'] },
}

const SYSTEM = 1
const MESSAGES = 2

/** Source: platform.claude.com prompt caching, "what invalidates the cache", checked 2026-11-30. */
const BEFORE = { speed: SYSTEM, tool_choice: MESSAGES, context_management: MESSAGES }

/** On some models these are rendered in front of everything: the card says where they are not. */
const RENDERED = { thinking: MESSAGES, output_config: MESSAGES, output_format: MESSAGES }

/** The parameters that are compared beside tools, system prompt and messages. */
export function messagesSettings(
  body: Body,
  { settingsBeforeMessages }: Pick<ModelFacts, 'settingsBeforeMessages'>,
): Setting[] {
  return settingsOf(body, {
    without: NOT_COMPARED,
    defaults: DEFAULTS,
    before: settingsBeforeMessages === true ? { ...BEFORE, ...RENDERED } : BEFORE,
    drop: new Set([...credentialMembers(body.root), ...containerId(body.root)]),
  })
}

/** The id of a container names a machine. Its skills are rendered into the prompt. */
function containerId(root: JsonObject): JsonMember[] {
  const entry = root.members.find(({ key }) => key === 'container')
  if (entry === undefined || entry.value.type !== 'object') return entry === undefined ? [] : [entry]
  if (member(entry.value, 'skills') === undefined) return [entry]
  return entry.value.members.filter(({ key }) => key === 'id')
}
