import { fault, isFields, readCount, readFields, readText, shown, TOKENS_RIGHT } from './entry.ts'
import type { Fields, Reading } from './entry.ts'
import { beginning } from './system.ts'
import { readTime, TIME_FORMS } from './time.ts'
import { cachedTokens, wholePrompt } from './usage.ts'

/**
 * Spans of OpenTelemetry's GenAI conventions in OTLP JSON, as the collector's file exporter and OTLP/HTTP write them
 * (https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans, https://opentelemetry.io/docs/specs/otlp, read 2026-11-21).
 * `gen_ai.usage.input_tokens` counts the cached tokens too. Names of older versions are understood as well, and those of OpenInference
 * (https://arize-ai.github.io/openinference/spec), of the AI SDK (https://ai-sdk.dev/docs/ai-sdk-core/telemetry) and of Sentry, read 2026-11-30.
 */
export function isOtel(fields: Fields): boolean {
  return Array.isArray(fields['resourceSpans'])
}

/** Operations that send one request to a model, whether or not a span counts its tokens. */
const INFERENCE = ['chat', 'text_completion', 'generate_content']

/** Operations of another kind. Spans of agents, chains and workflows are left out, because they repeat the counts of their children. */
const OTHER = /agent|tool|workflow|embed|rerank|retriev|image|audio|speech|transcri|moderation|handoff|guardrail/i

/** Beginnings of the names of attributes that count tokens. */
const USAGE = /^(?:gen_ai|ai|llm)\.(?:usage|token_count)\./

/** Names of the input's tokens, which count the cached ones too, in the order of precedence. */
const INPUT = [
  'gen_ai.usage.input_tokens',
  'gen_ai.usage.prompt_tokens',
  'llm.token_count.prompt',
  'llm.usage.prompt_tokens',
  'ai.usage.inputTokens',
  'ai.usage.promptTokens',
]

export function readOtel(fields: Fields): Reading[] {
  return list(fields['resourceSpans']).flatMap((resource) =>
    list(resource['scopeSpans']).flatMap((scope) => list(scope['spans']).map(readSpan)),
  )
}

function readSpan(span: Fields): Reading {
  const attributes = new Map(list(span['attributes']).map(({ key, value }) => [String(key), plainValue(value)]))
  const first = (...names: string[]): unknown =>
    names.map((name) => attributes.get(name)).find((value) => value !== undefined)
  const model = readText(
    first('gen_ai.request.model', 'gen_ai.response.model', 'llm.request.model_name', 'llm.model_name', 'ai.model.id'),
  )
  const tokensName = INPUT.find((name) => attributes.has(name)) ?? INPUT[0] ?? ''
  if (!isRequest(first, model !== null && attributes.has(tokensName)))
    return { leftOut: 'spans that are not requests to a model' }
  if (attributes.has('error.type') || isFailed(span)) return { leftOut: 'failed calls' }
  const at = readTime(span['startTimeUnixNano'])
  if (at === null) return fault('startTimeUnixNano', TIME_FORMS)
  const tokens = readCount(first(tokensName))
  if (tokens === undefined) return fault(tokensName, TOKENS_RIGHT)
  const usage = Object.fromEntries([...attributes].filter(([name]) => USAGE.test(name)))
  const cached = cachedTokens({ ...usage, own: readFields(first('ai.response.providerMetadata')) })
  const provider = readText(
    first('gen_ai.provider.name', 'gen_ai.system', 'llm.provider', 'llm.system', 'ai.model.provider'),
  )
  const [prefix, label] = prefixOf(first)
  const id = [span['traceId'], span['spanId']].map(readText)
  const parent = [span['traceId'], span['parentSpanId']].map(readText)
  return {
    entry: {
      ...(id.includes(null) ? {} : { id: id.join(' ') }),
      ...(parent.includes(null) ? {} : { parent: parent.join(' ') }),
      prefix,
      label,
      // The AI SDK's own gateway names models `provider/model`.
      provider: provider === 'gateway' ? null : provider,
      model,
      at,
      tokens: wholePrompt(tokens, cached),
      cached,
    },
  }
}

/** Whether a span is one request to a model, by what its tool calls it, else by its model and its usage. */
function isRequest(first: (...names: string[]) => unknown, isCounted: boolean): boolean {
  const kind = readText(first('openinference.span.kind'))
  if (kind !== null && !/^llm$/i.test(kind)) return false
  if (readText(first('traceloop.span.kind')) !== null) return false
  // The AI SDK's span of a whole call stands around those of its steps, which are named `….doGenerate` and `….doStream`.
  const step = readText(first('ai.operationId'))
  if (step !== null && !/\.do(?:Generate|Stream)$/.test(step)) return false
  const operation = readText(first('gen_ai.operation.name', 'llm.request.type', 'sentry.op'))
  if (operation === null) return isCounted
  return INFERENCE.includes(operation) || (!OTHER.test(operation) && isCounted)
}

/** Whether the status of a span is an error (code 2 of OTLP). */
function isFailed(span: Fields): boolean {
  const status = isFields(span['status']) ? span['status']['code'] : undefined
  return status === 2 || status === 'STATUS_CODE_ERROR'
}

/** Identifies the prefix by the prompt's name, else by captured system instructions, else by the agent, else by the model alone. */
function prefixOf(first: (...names: string[]) => unknown): [prefix: string, label: string] {
  const prompt = readText(first('gen_ai.prompt.name'))
  if (prompt !== null) return [`prompt ${prompt}`, shown(prompt, 'prompt')]
  const tools = first('gen_ai.tool.definitions', 'ai.prompt.tools', 'llm.tools.0.tool.json_schema')
  const said =
    first('gen_ai.system_instructions') ??
    (first('llm.input_messages.0.message.role') === 'system'
      ? first('llm.input_messages.0.message.content')
      : undefined)
  const system =
    said === undefined
      ? beginning(first('gen_ai.input.messages', 'ai.prompt.messages'), tools)
      : beginning({ system: said }, tools)
  if (system !== null) return [`system ${system}`, `system ${system.slice(0, 8)}`]
  const agent = readText(first('gen_ai.agent.name', 'gen_ai.agent.id', 'agent.name', 'ai.telemetry.functionId'))
  return agent === null ? ['', 'all requests'] : [`agent ${agent}`, shown(agent, 'agent')]
}

function list(value: unknown): Fields[] {
  return Array.isArray(value) ? value.filter(isFields) : []
}

/** Reads the value of an attribute. OTLP JSON has whole numbers as text. Arrays and maps stay as they are, for a digest. */
function plainValue(value: unknown): unknown {
  if (!isFields(value)) return undefined
  return value['stringValue'] ?? value['intValue'] ?? value['doubleValue'] ?? value['boolValue'] ?? value['arrayValue']
}
