/** What the Messages API refuses with 400. Source: Anthropic docs, build-with-claude/prompt-caching and api/messages; checked 2026-11-21. */
import { checkContent } from './anthropic-content.ts'
import { checkMarker, checkTools } from './anthropic-markers.ts'
import { markedBlocks, TTL_MS } from './anthropic-prompt.ts'
import { checkSettings } from './anthropic-settings.ts'
import { checkDiagnostics } from './diagnostics.ts'
import { isBlank } from './dialect.ts'
import { arrayAt, isObject, member, numberAt, stringAt } from './json.ts'
import type { JsonNode, JsonObject } from './json.ts'
import type { AnthropicModel } from './models.ts'

/** Members of `MessageCreateParams` in @anthropic-ai/sdk 1.11.0 (beta included), and the sampling ones that older models take. */
const MEMBERS = new Set(
  (
    'max_tokens messages model cache_control container diagnostics inference_geo metadata output_config service_tier speed ' +
    'stop_sequences stream system thinking tool_choice tools user_profile_id workspace_id billing_policy compaction ' +
    'context_management fallback_credit_token fallbacks mcp_servers output_format thread temperature top_p top_k'
  ).split(' '),
)

const MAX_BREAKPOINTS = 4

/** The message of the 400, or `undefined` when the request is fine. */
export function checkAnthropic(body: JsonObject, model: AnthropicModel): string | undefined {
  if (!model.permissive) {
    for (const name of body.keys()) if (!MEMBERS.has(name)) return `${name}: Extra inputs are not permitted`
  }
  const maxTokens = numberAt(body, 'max_tokens')
  if (maxTokens === undefined) return 'max_tokens: Field required'
  if (maxTokens < 0 || !Number.isInteger(maxTokens)) return 'max_tokens: Input should be greater than or equal to 0'
  return (
    checkMessages(body) ??
    checkTools(body) ??
    checkBreakpoints(body) ??
    checkContent(body, model) ??
    checkToolResults(body) ??
    checkSettings(body, model) ??
    checkDiagnostics(body) ??
    checkThinking(body, maxTokens) ??
    checkZero(body, maxTokens)
  )
}

function checkMessages(body: JsonObject): string | undefined {
  if (!Array.isArray(member(body, 'messages'))) return 'messages: Field required'
  const messages = arrayAt(body, 'messages')
  if (messages.length === 0) return 'messages: at least one message is required'
  let spoken = false
  for (const [i, message] of messages.entries()) {
    const role = stringAt(message, 'role')
    if (role !== 'user' && role !== 'assistant' && role !== 'system') {
      return `messages.${i}.role: Input should be 'user' or 'assistant'`
    }
    const content = member(message, 'content')
    if (typeof content !== 'string' && !Array.isArray(content)) return `messages.${i}.content: Field required`
    if (role === 'user' && hasSubstance(content)) spoken = true
  }
  return spoken ? undefined : 'messages: at least one user message with non-whitespace text is required'
}

/** Each tool use is answered in the very next message, and nothing else is. Source: Anthropic docs, tool-use; checked 2026-11-21. */
function checkToolResults(body: JsonObject): string | undefined {
  const messages = arrayAt(body, 'messages').map((message) => member(message, 'content'))
  const ids = (content: JsonNode | undefined, type: string, name: string): string[] =>
    (Array.isArray(content) ? content : []).flatMap((block) =>
      stringAt(block, 'type') === type ? [stringAt(block, name) ?? ''] : [],
    )
  for (const [i, content] of messages.entries()) {
    const results = ids(messages[i + 1], 'tool_result', 'tool_use_id')
    const missing = ids(content, 'tool_use', 'id').filter((id) => !results.includes(id))
    if (missing.length > 0) {
      return `messages.${i}: \`tool_use\` ids were found without \`tool_result\` blocks immediately after: ${missing.join(', ')}.`
    }
    const used = ids(messages[i - 1], 'tool_use', 'id')
    const stray = ids(content, 'tool_result', 'tool_use_id').find((id) => !used.includes(id))
    if (stray !== undefined) {
      return `messages.${i}.content: unexpected \`tool_use_id\` found in \`tool_result\` blocks: ${stray}.`
    }
  }
  return undefined
}

function hasSubstance(content: JsonNode): boolean {
  if (!Array.isArray(content)) return !isBlank(content)
  return content.some((block) => stringAt(block, 'type') !== 'text' || !isBlank(member(block, 'text')))
}

/** Assumed: the words for a block of a message hold for one in a tool's result too, whose path has the kind of the result in it. */
function emptyMarkInResult(body: JsonObject): string | undefined {
  for (const [m, message] of arrayAt(body, 'messages').entries()) {
    for (const [i, block] of arrayAt(message, 'content').entries()) {
      if (stringAt(block, 'type') !== 'tool_result') continue
      const at = arrayAt(block, 'content').findIndex(
        (part) =>
          isObject(member(part, 'cache_control')) && stringAt(part, 'type') === 'text' && isBlank(member(part, 'text')),
      )
      if (at >= 0) {
        const where = `messages.${m}.content.${i}.tool_result.content.${at}`
        return `${where}.text: cache_control cannot be set for empty text blocks`
      }
    }
  }
  return undefined
}

function checkBreakpoints(body: JsonObject): string | undefined {
  const marks = markedBlocks(body)
  for (const { where, control, empty } of marks) {
    const wrong = checkMarker(`${where}.cache_control`, control)
    if (wrong !== undefined) return wrong
    // A block of a message is named by its type too.
    if (empty)
      return `${where}${where.startsWith('messages') ? '.text' : ''}: cache_control cannot be set for empty text blocks`
  }
  const inResult = emptyMarkInResult(body)
  if (inResult !== undefined) return inResult
  const automatic = member(body, 'cache_control')
  if (isObject(automatic)) {
    const ttl = stringAt(automatic, 'ttl') ?? '5m'
    const wrong = checkMarker('cache_control', automatic)
    if (wrong !== undefined) return wrong
    if (marks.length >= MAX_BREAKPOINTS) {
      return `A maximum of ${MAX_BREAKPOINTS} blocks with cache_control may be provided. Found ${marks.length + 1}.`
    }
    const own = lastBlockTtl(body)
    if (own !== undefined && own !== ttl) return 'cache_control: the last block already carries a different ttl'
    marks.push({ where: 'cache_control', control: automatic, ttl, type: 'ephemeral', empty: false })
  }
  if (marks.length > MAX_BREAKPOINTS) {
    return `A maximum of ${MAX_BREAKPOINTS} blocks with cache_control may be provided. Found ${marks.length}.`
  }
  let shortest = Infinity
  for (const { where, ttl } of marks) {
    const ttlMs = TTL_MS[ttl] ?? 0
    if (ttlMs > shortest) {
      return (
        `${where}.cache_control.ttl: a ttl='1h' cache_control block must not come after a ttl='5m' cache_control block. ` +
        'Note that blocks are processed in the following order: `tools`, `system`, `messages`.'
      )
    }
    shortest = ttlMs
  }
  return undefined
}

function lastBlockTtl(body: JsonObject): string | undefined {
  const content = member(arrayAt(body, 'messages').at(-1), 'content')
  const control = Array.isArray(content) ? member(content.at(-1), 'cache_control') : undefined
  return isObject(control) ? (stringAt(control, 'ttl') ?? '5m') : undefined
}

function checkThinking(body: JsonObject, maxTokens: number): string | undefined {
  const thinking = member(body, 'thinking')
  if (stringAt(thinking, 'type') !== 'enabled' || maxTokens === 0) return undefined
  const budget = numberAt(thinking, 'budget_tokens')
  if (budget === undefined) return 'thinking.enabled.budget_tokens: Field required'
  if (budget < 1024) return 'thinking.enabled.budget_tokens: Input should be greater than or equal to 1024'
  if (maxTokens <= budget) return '`max_tokens` must be greater than `thinking.budget_tokens`'
  return undefined
}

/** A request that only fills the cache cannot be combined with what needs an answer. Source: same page, "pre-warming the cache". */
function checkZero(body: JsonObject, maxTokens: number): string | undefined {
  if (maxTokens !== 0) return undefined
  if (member(body, 'stream') === true) return 'max_tokens: 0 is not supported with `stream: true`'
  if (stringAt(member(body, 'thinking'), 'type') === 'enabled') {
    return 'max_tokens: 0 is not supported with `thinking.type: enabled`'
  }
  if (isObject(member(member(body, 'output_config'), 'format'))) {
    return 'max_tokens: 0 is not supported with `output_config.format`'
  }
  const choice = stringAt(member(body, 'tool_choice'), 'type')
  if (choice === 'any' || choice === 'tool')
    return `max_tokens: 0 is not supported with \`tool_choice\` of type \`${choice}\``
  return undefined
}
