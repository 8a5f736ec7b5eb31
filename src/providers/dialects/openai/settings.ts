import { canonical } from '../../../core/prompt/json-canonical.ts'
import { member, stringMember } from '../../../core/prompt/json-text.ts'
import type { JsonNode } from '../../../core/prompt/json-text.ts'
import type { ModelFacts } from '../../../core/model/facts.ts'
import { joinStreams } from '../shared/body.ts'
import type { Body } from '../shared/body.ts'
import { credentialMembers } from '../shared/credentials.ts'
import { ANY, settingsOf } from '../shared/settings.ts'
import type { Defaults } from '../shared/settings.ts'
import type { Wire } from '../../wire.ts'
import { MARKER as CONTROL } from '../anthropic-messages/markers.ts'
import { OPTIONS } from './breakpoints.ts'
import type { OpenaiShape } from './breakpoints.ts'
import type { Setting } from '../../compared.ts'

/**
 * Members that change neither the prompt nor the entry that it reads, in both formats and at all of their providers. The prompt caching guide
 * lists what does: model, tools, format, effort, verbosity, calls at a time, compaction, tier and key. It names neither sampling nor the
 * others here. `truncation` cuts a prompt that is too long, and no other.
 * Sources: developers.openai.com, prompt caching guide and the reference of both calls; checked 2026-11-30. Assumed of `moderation`, `store`,
 * `metadata` and whatever names a user: the list leaves them out, and no page says that they change nothing.
 */
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

/** What an absent member says. `effort`: the canonical text of the model's default; absent: it is not known. */
function defaults(effort: string | undefined): Readonly<Record<string, Defaults>> {
  const efforts = effort === undefined ? [] : [JSON.stringify(effort)]
  return {
    tool_choice: AUTO,
    functions: ['[]'],
    function_call: AUTO,
    parallel_tool_calls: ['true'],
    service_tier: [...AUTO, '"default"'],
    text: { format: { type: ['"text"'] }, verbosity: ['"medium"'] },
    verbosity: ['"medium"'],
    response_format: { type: ['"text"'] },
    reasoning: {
      effort: efforts,
      // Whether and how reasoning is shown changes the answer alone.
      summary: ANY,
      generate_summary: ANY,
      exclude: ANY,
      mode: ['"standard"'],
      context: AUTO,
    },
    reasoning_effort: efforts,
    modalities: ['["text"]'],
    context_management: ['[]'],
    plugins: ['[]'],
    providerOptions: { gateway: ANY },
  }
}

/** Members that are not compared at this provider. */
function uncompared({ notCompared, turns, wire }: OpenaiShape, needsMarkers: boolean): ReadonlySet<string> {
  const names = new Set<string>([...notCompared, turns.list, ...(wire.controls === 'all' ? OWN : OTHERS)])
  if (needsMarkers) names.add(CONTROL) // at the top it marks the last block of each request, and is no prompt
  if (wire.keyMember !== null) names.add(wire.keyMember) // has its own place in the stream
  if (wire.controls !== 'none') names.add(OPTIONS)
  if (wire.controls === 'all') names.add('prompt_cache_retention')
  for (const [name = ''] of wire.routing.map((path) => path.split('.'))) names.add(name)
  return names
}

/** The parameters that are compared beside tools, instructions and turns. Where they are rendered is not published. */
export function openaiSettings(
  body: Body,
  shape: OpenaiShape,
  needsMarkers: boolean,
  { defaultEffort }: Pick<ModelFacts, 'defaultEffort'>,
): Setting[] {
  const settings = settingsOf(body, {
    without: uncompared(shape, needsMarkers),
    defaults: defaults(defaultEffort),
    drop: new Set(credentialMembers(body.root)),
  })
  return settings.map((one) =>
    one.name === 'service_tier' && one.text === '"fast"' ? { ...one, text: PRIORITY } : one,
  )
}

/** The tier `fast` is another name of this one. Source: openai SDK 7.55.0, `service_tier`; checked 2026-11-30. */
const PRIORITY = '"priority"'

/** What a body says of the server that answers it: nothing of the prompt, and nothing that keeps two prefixes apart. Undefined: no member of this provider says it. */
export function routingOf({ text, root }: Body, { routing }: Pick<Wire, 'routing'>): { routing?: string } {
  if (routing.length === 0) return {}
  const said = routing.flatMap((path): [string, string][] => {
    const node = path.split('.').reduce<JsonNode | undefined>((outer, name) => member(outer, name), root)
    return node === undefined || node.type === 'null' ? [] : [[path, canonical(text, node)]]
  })
  return { routing: said.length === 0 ? '' : joinStreams(said) }
}

/** The cache mode that a body asks for; undefined: none, or the provider has no modes. */
export function cacheMode({ root }: Body, { controls }: Pick<Wire, 'controls'>): string | undefined {
  return controls === 'all' ? stringMember(member(root, OPTIONS), 'mode') : undefined
}

/** Requests of the explicit mode and others find different entries. */
export function cacheControls(body: Body, wire: Pick<Wire, 'controls'>): Setting[] {
  return cacheMode(body, wire) === 'explicit' ? [{ name: 'cache_mode', text: '"explicit"', before: 0 }] : []
}
