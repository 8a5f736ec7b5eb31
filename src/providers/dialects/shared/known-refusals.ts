/** A refusal in our own words. `field`: a path in the body; null: the provider named none that is safe to repeat. */
export interface KnownRefusal {
  field: string | null
  cause: string
  what: string
}

/** A refusal that providers word in one of these ways. The first that matches wins. */
interface Words {
  pattern: RegExp
  cause: string
  what: string
  /** Added to the path that the provider names, where it names the block alone. */
  member?: string
}

/**
 * Sources: the words of the Messages API in anthropics/claude-code#50082, NousResearch/hermes-agent#11137, sst/opencode and litellm threads;
 * of OpenAI in openai SDK threads; of Bedrock in aws SDK threads. Checked 2026-11-30.
 */
const REFUSALS: readonly Words[] = [
  {
    pattern: /cache_control cannot be set for empty text/i,
    cause: 'marker_on_empty_text',
    what: 'empty text cannot carry a marker',
    member: 'cache_control',
  },
  {
    pattern: /cannot have both defer_loading/i,
    cause: 'marker_on_deferred_tool',
    what: 'a deferred tool cannot carry a marker',
    member: 'cache_control',
  },
  {
    pattern: /thinking(?:`|')? blocks?[^.]*cache_control|cache_control[^.]*thinking/i,
    cause: 'marker_on_thinking',
    what: 'a thinking block cannot carry a marker',
  },
  {
    pattern: /maximum of \d+ blocks with cache_control/i,
    cause: 'too_many_breakpoints',
    what: 'the request carries more markers than the provider takes',
  },
  {
    pattern: /ttl='?1h'?[^.]*must not come after/i,
    cause: 'retention_order',
    what: 'a longer lifetime stands behind a shorter one',
  },
  { pattern: /cache_control(?:\.\w+)*\.ttl\b/i, cause: 'marker_ttl', what: 'the provider does not know this lifetime' },
  {
    pattern: /cache_control(?:\.\w+)*\.type\b/i,
    cause: 'marker_type',
    what: 'the provider does not know this kind of marker',
  },
  {
    pattern:
      /text content blocks must (?:be non-empty|contain non-whitespace)|text field in the \w+ object[^.]* is blank/i,
    cause: 'empty_text',
    what: 'a text is empty',
  },
  {
    pattern: /thinking\.type\.enabled.{0,3} is not supported|thinking\.type: .*adaptive/i,
    cause: 'thinking_not_taken',
    what: 'this model takes no budget for thinking',
  },
  {
    pattern:
      /(?:temperature|top_p|top_k).{0,40}(?:deprecated|not supported|unsupported)|unsupported (?:parameter|value).{0,20}(?:temperature|top_p)/i,
    cause: 'sampling_not_taken',
    what: 'this model takes no sampling parameter',
  },
  {
    pattern: /extra inputs are not permitted|unknown parameter|unknown name|unrecognized request argument/i,
    cause: 'unknown_member',
    what: 'the provider knows no such member',
  },
]

/** The refusal in an error, if its words are known. Nothing of the provider's text is repeated but the names of members. */
export function knownRefusal({ message, param }: { message: string; param: string }): KnownRefusal | null {
  const found = REFUSALS.find(({ pattern }) => pattern.test(message))
  if (found === undefined) return null
  const { cause, what, member } = found
  const place = pathOf(param) ?? pathOf(/^([\w.[\]]+):/.exec(message)?.[1] ?? '') ?? pathOf(quoted(message))
  if (place === null) return { field: null, cause, what }
  const { path, isWhole } = place
  if (!isWhole && cause === 'unknown_member')
    return { field: path, cause, what: 'the provider does not know a member of it' }
  return { field: member === undefined || path.endsWith(member) ? path : `${path}.${member}`, cause, what }
}

/** A name in quotes, as in "Unknown parameter: 'input[0].x'". */
function quoted(message: string): string {
  return /(?:parameter|name|argument)(?: supplied)?:? ['"`]([\w.[\]]+)['"`]/i.exec(message)?.[1] ?? ''
}

/**
 * Names that may be repeated: members of the formats. A path with another name may hold what a caller wrote, such as a property of a schema.
 */
const NAMES = new Set(
  (
    'messages system tools content contents parts input instructions text type role cache_control ttl thinking budget_tokens ' +
    'temperature top_p top_k max_tokens max_output_tokens max_completion_tokens tool_choice betas stream stream_options store ' +
    'prompt_cache_retention prompt_cache_options prompt_cache_key prompt_cache_breakpoint mode reasoning effort output_config ' +
    'extra_headers extra_body extra_query timeout config metadata service_tier defer_loading input_schema'
  ).split(' '),
)

/** Steps of a provider's paths that are no members: the kind of a block, which its checker adds. */
const KINDS = new Set(['ephemeral', 'enabled', 'custom', 'function'])

/**
 * A provider's path (`system.1.cache_control`) as ours (`system[1].cache_control`), up to the first name that is not safe to repeat; null:
 * that is the first one. `isWhole`: nothing is left out.
 */
function pathOf(given: string): { path: string; isWhole: boolean } | null {
  const steps = given.split(/[.[\]]+/).filter((step) => step !== '' && !KINDS.has(step))
  const strange = steps.findIndex((step) => !NAMES.has(step) && !/^\d{1,5}$/.test(step))
  const safe = strange < 0 ? steps : steps.slice(0, strange)
  const [first] = safe
  if (first === undefined || !NAMES.has(first)) return null
  const isText = safe.length > 2 && safe.at(-1) === 'text' && /^\d+$/.test(safe.at(-2) ?? '')
  const own = isText ? safe.slice(0, -1) : safe
  const path = own.map((step, index) => (/^\d+$/.test(step) ? `[${step}]` : index === 0 ? step : `.${step}`)).join('')
  return { path, isWhole: strange < 0 }
}
