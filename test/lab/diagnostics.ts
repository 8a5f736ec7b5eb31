/**
 * The providers' own diagnostics of misses. Sources, checked 2026-12-01: npm @anthropic-ai/sdk 1.14.0, resources/messages/messages.d.ts
 * (`diagnostics`, `cache_miss_reason`); npm openai 7.59.0, resources/responses/responses.d.ts (`comparison_response_id`,
 * `prompt_cache_diagnostics`). How long a provider remembers is not stated: the lab does for an hour.
 */
import { anthropicBlocks } from './anthropic-prompt.ts'
import { hashOf } from './blocks.ts'
import type { Call } from './dialect.ts'
import type { Fingerprints, Print } from './fingerprints.ts'
import { arrayAt, compact, isObject, member, stringAt } from './json.ts'
import type { JsonNode, JsonObject } from './json.ts'

/** The first part that differs; `turns`: the earlier ones are not how the later ones begin. */
function divergence(before: Print, after: Print): string | undefined {
  const part = Object.keys(after.parts).find((name) => before.parts[name] !== after.parts[name])
  return part ?? (before.turns.every((turn, i) => turn === after.turns[i]) ? undefined : 'turns')
}

const DIAGNOSTICS = new Set(['previous_message_id'])

/** The message of the 400 for a wrong `diagnostics`, or `undefined`. */
export function checkDiagnostics(body: JsonObject): string | undefined {
  const given = member(body, 'diagnostics')
  if (given === undefined || given === null) return undefined
  if (!isObject(given)) return 'diagnostics: Input should be an object'
  const extra = [...given.keys()].find((name) => !DIAGNOSTICS.has(name))
  if (extra !== undefined) return `diagnostics.${extra}: Extra inputs are not permitted`
  const previous = given.get('previous_message_id')
  if (previous === null || (typeof previous === 'string' && previous.startsWith('msg_'))) return undefined
  return 'diagnostics.previous_message_id: Input should be a message id or null'
}

function anthropicPrint(body: JsonObject): Print {
  const { tools, system, messages } = anthropicBlocks(body)
  const hashed = (blocks: { text: string }[]): string => hashOf(JSON.stringify(blocks.map(({ text }) => text)))
  const text = (name: string): string => compact(member(body, name) ?? null)
  return {
    parts: {
      model: `${stringAt(body, 'model') ?? ''} ${stringAt(body, 'speed') ?? 'standard'}`,
      tools: hashed(tools),
      system: hashed(system),
      rest: hashOf(text('thinking') + text('tool_choice')),
    },
    turns: messages.map((block) => hashOf(block.text)),
  }
}

/** `diagnostics` of an answer: null where nobody asked, for a first turn, and where nothing differs. Only requests that ask are remembered. */
export function anthropicDiagnostics(
  call: Call,
  body: JsonObject,
  account: string,
  { id, tokens, prints }: { id: string; tokens: number; prints: Fingerprints },
): object | null {
  const asked = member(body, 'diagnostics')
  if (!isObject(asked)) return null
  const print = anthropicPrint(body)
  const previous = stringAt(asked, 'previous_message_id')
  const before = previous === undefined ? undefined : prints.get(`anthropic ${account}`, previous, call.at)
  prints.save(`anthropic ${account}`, id, print, call.at)
  if (previous === undefined) return null
  if (before === undefined) return { cache_miss_reason: { type: 'previous_message_not_found' } }
  const part = divergence(before, print)
  if (part === undefined) return null
  if (part === 'rest') return { cache_miss_reason: { type: 'unavailable' } }
  const type = `${part === 'turns' ? 'messages' : part}_changed`
  return { cache_miss_reason: { type, cache_missed_input_tokens: tokens } }
}

/** Reasons in the words of OpenAI, by the part that differs. */
const REASONS: Record<string, string> = {
  model: 'model_changed',
  key: 'prompt_cache_key_changed',
  tier: 'service_tier_changed',
  tools: 'tools_changed',
  format: 'text_format_changed',
  effort: 'reasoning_effort_changed',
  verbosity: 'verbosity_changed',
  turns: 'input_changed',
}

function openaiPrint(body: JsonObject): Print {
  const text = (node: JsonNode | undefined): string => compact(node ?? null)
  const input = member(body, 'input')
  return {
    parts: {
      model: stringAt(body, 'model') ?? '',
      key: stringAt(body, 'prompt_cache_key') ?? '',
      tier: stringAt(body, 'service_tier') ?? 'default',
      tools: hashOf(text(member(body, 'tools'))),
      format: hashOf(text(member(member(body, 'text'), 'format'))),
      effort: stringAt(member(body, 'reasoning'), 'effort') ?? '',
      verbosity: stringAt(member(body, 'text'), 'verbosity') ?? 'medium',
      turns: hashOf(stringAt(body, 'instructions') ?? ''),
    },
    turns: (typeof input === 'string' ? [input] : arrayAt(body, 'input').map((item) => compact(item))).map((turn) =>
      hashOf(turn),
    ),
  }
}

/** `prompt_cache_diagnostics` of a response; `undefined` where nobody asked. Completed responses can be compared with. */
export function openaiDiagnostics(
  call: Call,
  body: JsonObject,
  account: string,
  answer: { id: string; isWhole: boolean; cached: number; total: number; prints: Fingerprints },
): object | undefined {
  const { id, isWhole, cached, total, prints } = answer
  const previous = stringAt(member(body, 'prompt_cache_options'), 'comparison_response_id')
  const print = openaiPrint(body)
  const before = previous === undefined ? undefined : prints.get(`openai ${account}`, previous, call.at)
  if (isWhole) prints.save(`openai ${account}`, id, print, call.at)
  if (previous === undefined) return undefined
  if (before === undefined) return { type: 'comparison_response_not_found' }
  const part = divergence(before, print)
  if (part === undefined) return cached > 0 ? { type: 'cache_hit' } : { type: 'unavailable' }
  return { type: 'cache_miss', reason: REASONS[part], cache_missed_tokens: total - cached }
}
