import { member, stringMember } from '../../../core/prompt/json-text.ts'
import type { Body } from '../shared/body.ts'
import { credentialMembers } from '../shared/credentials.ts'
import { ANY, settingsOf } from '../shared/settings.ts'
import type { Defaults } from '../shared/settings.ts'
import type { Wire } from '../../wire.ts'
import { MARKER as CONTROL } from '../anthropic-messages/markers.ts'
import { OPTIONS } from './breakpoints.ts'
import type { OpenaiShape } from './breakpoints.ts'
import type { Setting } from '../../dialect.ts'

/** Members that change neither the prompt nor the entry that it reads, in both formats and at all of their providers. */
export const NOT_COMPARED = [
  'model',
  'tools',
  'instructions',
  'stream',
  'stream_options',
  'store',
  'metadata',
  'temperature',
  'top_p',
  'user',
  'safety_identifier',
  'moderation',
  'truncation',
] as const

/** At OpenAI the choice of a tool is behind the prefix. Source: developers.openai.com prompt caching guide, checked 2026-11-30. */
const OWN = ['tool_choice']

/** Elsewhere a service tier chooses a queue, and no cache. At OpenAI tiers share no cache. Source: as above. */
const OTHERS = ['service_tier']

const AUTO = ['"auto"']

const DEFAULTS: Readonly<Record<string, Defaults>> = {
  tool_choice: AUTO,
  functions: ['[]'],
  function_call: AUTO,
  parallel_tool_calls: ['true'],
  service_tier: [...AUTO, '"default"'],
  text: { format: { type: ['"text"'] }, verbosity: ['"medium"'] },
  verbosity: ['"medium"'],
  response_format: { type: ['"text"'] },
  reasoning: { effort: [], summary: ANY, generate_summary: ANY },
  reasoning_effort: [],
  modalities: ['["text"]'],
  context_management: ['[]'],
}

/** Members that are not compared at this provider. */
function uncompared({ notCompared, turns, wire }: OpenaiShape, needsMarkers: boolean): ReadonlySet<string> {
  const names = new Set<string>([...notCompared, turns.list, ...(wire.controls === 'all' ? OWN : OTHERS)])
  if (needsMarkers) names.add(CONTROL) // at the top it marks the last block of each request, and is no prompt
  if (wire.keyMember !== null) names.add(wire.keyMember) // has its own place in the stream
  if (wire.controls !== 'none') names.add(OPTIONS)
  if (wire.controls === 'all') names.add('prompt_cache_retention')
  for (const name of wire.compared) names.delete(name)
  return names
}

/** The parameters that are compared beside tools, instructions and turns. Where they are rendered is not published. */
export function openaiSettings(body: Body, shape: OpenaiShape, needsMarkers: boolean): Setting[] {
  return settingsOf(body, {
    without: uncompared(shape, needsMarkers),
    defaults: DEFAULTS,
    drop: new Set(credentialMembers(body.root)),
  })
}

/** The cache mode that a body asks for; undefined: none, or the provider has no modes. */
export function cacheMode({ root }: Body, { controls }: Pick<Wire, 'controls'>): string | undefined {
  return controls === 'all' ? stringMember(member(root, OPTIONS), 'mode') : undefined
}

/** Requests of the explicit mode and others find different entries. */
export function cacheControls(body: Body, wire: Pick<Wire, 'controls'>): Setting[] {
  return cacheMode(body, wire) === 'explicit' ? [{ name: 'cache_mode', text: '"explicit"', before: 0 }] : []
}
