import { member } from '../../../core/prompt/json-text.ts'
import type { JsonMember, JsonObject } from '../../../core/prompt/json-text.ts'
import type { ModelFacts } from '../../../core/model/facts.ts'
import type { Body } from '../shared/body.ts'
import { credentialMembers } from '../shared/credentials.ts'
import { ANY, settingsOf } from '../shared/settings.ts'
import type { Defaults } from '../shared/settings.ts'
import { MARKER } from './markers.ts'
import type { Setting } from '../../compared.ts'

/**
 * Members that change neither the prompt nor the entry that it reads: sampling, routing, and what is no parameter of the model. The table "what
 * invalidates the cache" names none of them. Source: platform.claude.com prompt caching, checked 2026-11-30. Assumed of `service_tier` and
 * `inference_geo`: the page says of neither that its requests share entries.
 */
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

/** What an absent parameter says, whatever the model. Source: platform.claude.com prompt caching, checked 2026-11-30. */
const DEFAULTS: Readonly<Record<string, Defaults>> = {
  tool_choice: { type: ['"auto"'], disable_parallel_tool_use: ['false'] },
  output_format: [],
  speed: ['"standard"'],
  mcp_servers: ['[]'],
  context_management: { edits: ['[]'] },
}

/** Facts about the thinking of a model. */
type Thinking = Pick<ModelFacts, 'thinksByDefault' | 'defaultEffort'>

/**
 * What an absent `thinking` says: adaptive where the model thinks without being asked. Assumed: `display` changes the answer alone.
 * Source: platform.claude.com, "What's new in Claude Opus 5", and "Troubleshooting thinking"; checked 2026-11-30.
 */
export function thinkingDefault({ thinksByDefault }: Thinking): Defaults {
  return { type: [thinksByDefault === true ? '"adaptive"' : '"disabled"'], display: ANY }
}

/** An effort at the model's default equals none: high, unless the card says another. Source: platform.claude.com, "Effort", checked 2026-11-30. */
export function outputDefault({ defaultEffort = 'high' }: Thinking): Defaults {
  return { effort: [JSON.stringify(defaultEffort)], format: [] }
}

const SYSTEM = 1
const MESSAGES = 2

/** Source: platform.claude.com prompt caching, "what invalidates the cache", checked 2026-11-30. */
const BEFORE = { speed: SYSTEM, tool_choice: MESSAGES, context_management: MESSAGES }

/** On some models these are rendered in front of everything: the card says where they are not. */
const RENDERED = { thinking: MESSAGES, output_config: MESSAGES, output_format: MESSAGES }

/** The parameters that are compared beside tools, system prompt and messages. */
export function messagesSettings(body: Body, facts: Thinking & Pick<ModelFacts, 'settingsBeforeMessages'>): Setting[] {
  return settingsOf(body, {
    without: NOT_COMPARED,
    defaults: { ...DEFAULTS, thinking: thinkingDefault(facts), output_config: outputDefault(facts) },
    before: facts.settingsBeforeMessages === true ? { ...BEFORE, ...RENDERED } : BEFORE,
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
