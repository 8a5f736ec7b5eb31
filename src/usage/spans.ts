import { readTime } from './instant.ts'
import type { Told } from './told-call.ts'
import { cacheCounts, wholePrompt } from './told-counts.ts'
import { isFields, listOfFields, readCount, readFields, readText } from './values.ts'
import type { Fields } from './values.ts'

/**
 * Spans of OpenTelemetry's GenAI conventions in OTLP JSON, as exporters and collectors write them
 * (https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans, https://opentelemetry.io/docs/specs/otlp, read 2026-11-21).
 * `gen_ai.usage.input_tokens` counts the cached tokens too. Names of older versions are understood as well, and those of OpenInference
 * (https://arize-ai.github.io/openinference/spec), of OpenLLMetry, of the AI SDK (https://ai-sdk.dev/docs/ai-sdk-core/telemetry) and of Sentry,
 * read 2026-11-30.
 */
export interface Span {
  trace: string | null
  id: string | null
  parent: string | null
  /** The first of the attributes that the span has, else its resource. */
  first(...names: string[]): unknown
  told: Told
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

const OUTPUT = [
  'gen_ai.usage.output_tokens',
  'gen_ai.usage.completion_tokens',
  'llm.token_count.completion',
  'llm.usage.completion_tokens',
  'ai.usage.outputTokens',
  'ai.usage.completionTokens',
]

const TOTAL = ['gen_ai.usage.total_tokens', 'llm.usage.total_tokens', 'llm.token_count.total', 'ai.usage.totalTokens']

/** Attributes that name a prefix, also behind what a tool sets in front of its caller's own: `ai.telemetry.metadata.pilotlight.name`. */
const PREFIX = /(?:^|\.)pilotlight[._](?:prefix|name)$/

/** How many spans an export has, before any is read. */
export function countSpans(fields: Fields): number {
  return scopesIn(fields).reduce((sum, { spans }) => sum + spans.length, 0)
}

/** The spans of an export. Those that repeat the tokens of the spans below them are left out. */
export function spansIn(fields: Fields): Span[] {
  const all = scopesIn(fields).flatMap(({ resource, spans }) => spans.map((span) => readSpan(span, resource)))
  return withoutRepeats(all)
}

function scopesIn(fields: Fields): { resource: Map<string, unknown>; spans: Fields[] }[] {
  return listOfFields(fields['resourceSpans']).flatMap((one) => {
    const resource = attributesOf(isFields(one['resource']) ? one['resource'] : {})
    return listOfFields(one['scopeSpans']).map((scope) => ({ resource, spans: listOfFields(scope['spans']) }))
  })
}

function attributesOf(holder: Fields): Map<string, unknown> {
  return new Map(listOfFields(holder['attributes']).map(({ key, value }) => [String(key), plainValue(value)]))
}

function readSpan(span: Fields, resource: ReadonlyMap<string, unknown>): Span {
  const attributes = attributesOf(span)
  const first = (...names: string[]): unknown =>
    names.map((name) => attributes.get(name)).find((value) => value !== undefined)
  const [trace, id] = [readText(span['traceId']), readText(span['spanId'])]
  const told = readCall(span, attributes, first, trace === null || id === null ? null : `${trace} ${id}`)
  if ('call' in told) told.call = { ...told.call, prefixes: prefixesOf(attributes, resource) }
  return { trace, id, parent: readText(span['parentSpanId']), first, told }
}

function readCall(
  span: Fields,
  attributes: ReadonlyMap<string, unknown>,
  first: Span['first'],
  id: string | null,
): Told {
  const models = [
    first('gen_ai.request.model', 'llm.request.model_name', 'llm.model_name', 'ai.model.id'),
    first('gen_ai.response.model', 'ai.response.model'),
  ].flatMap((name) => readText(name) ?? [])
  const [inputName = '', outputName, totalName] = [INPUT, OUTPUT, TOTAL].map(
    (names) => names.find((name) => attributes.has(name)) ?? names[0] ?? '',
  )
  if (!isRequest(first, models.length > 0 && attributes.has(inputName))) return { leftOut: 'not_a_model_call' }
  if (String(first('pilotlight.warm')) === 'true') return { leftOut: 'own_probe' }
  if (attributes.has('error.type') || isFailed(span)) return { leftOut: 'failed' }
  const startedAt = readTime(span['startTimeUnixNano'])
  if (startedAt === null) return { leftOut: 'bad_time', field: 'startTimeUnixNano' }
  const input = readCount(first(inputName))
  if (input === undefined) return { leftOut: 'bad_count', field: inputName }
  const output = readCount(first(outputName ?? '')) ?? null
  const usage = {
    ...Object.fromEntries([...attributes].filter(([name]) => USAGE.test(name))),
    own: readFields(first('ai.response.providerMetadata')),
  }
  const cache = cacheCounts(usage)
  const total = readCount(first(totalName ?? '')) ?? null
  const whole = wholePrompt(input, (cache.read ?? 0) + (cache.written ?? 0), { total, output, usage })
  const provider = readText(
    first('gen_ai.provider.name', 'gen_ai.system', 'llm.provider', 'llm.system', 'ai.model.provider'),
  )
  const ttftMs = first('ai.response.msToFirstChunk')
  return {
    call: {
      id,
      // The AI SDK's own gateway names models `provider/model`.
      provider: provider === 'gateway' ? null : provider,
      models,
      startedAt,
      ttftMs: typeof ttftMs === 'number' && ttftMs >= 0 ? ttftMs : null,
      counts: { input: whole, ...cache, output },
      prefixes: [],
    },
  }
}

/** Whether a span is one request to a model, by what its tool calls it, else by its model and its usage. */
function isRequest(first: Span['first'], isCounted: boolean): boolean {
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

/** What names a prefix: an attribute of the span, else one of its resource, else the name of the agent. */
function prefixesOf(attributes: ReadonlyMap<string, unknown>, resource: ReadonlyMap<string, unknown>): string[] {
  const named = [attributes, resource].flatMap((all) =>
    [...all].flatMap(([name, value]) => (PREFIX.test(name) ? (readText(value) ?? []) : [])),
  )
  return named.length > 0 ? named : [readText(attributes.get('gen_ai.agent.name'))].filter((name) => name !== null)
}

/** Frameworks and the SDKs below them may each write a span for one call: the inner one counts. */
function withoutRepeats(spans: Span[]): Span[] {
  const known = new Map(spans.map((span) => [`${span.trace} ${span.id}`, span]))
  const below = new Map<Span, number[]>()
  for (const span of spans) {
    const tokens = tokensOf(span)
    if (tokens === null) continue
    // Up to the next span that counts tokens; spans that point at each other end at the depth.
    for (let above = span, depth = 0; depth < DEEPEST; depth++) {
      const parent = above.parent === null ? undefined : known.get(`${above.trace} ${above.parent}`)
      if (parent === undefined || parent === span) break
      if (tokensOf(parent) !== null) {
        below.set(parent, [...(below.get(parent) ?? []), tokens])
        break
      }
      above = parent
    }
  }
  return spans.map((span) => {
    const counts = below.get(span) ?? []
    const tokens = tokensOf(span)
    const sum = counts.reduce((all, one) => all + one, 0)
    const repeats = counts.length > 0 && tokens !== null && (tokens === sum || counts.includes(tokens))
    return repeats ? { ...span, told: { leftOut: 'repeated' } } : span
  })
}

const DEEPEST = 32

function tokensOf({ told }: Span): number | null {
  return 'call' in told ? told.call.counts.input : null
}

/** Reads the value of an attribute. OTLP JSON has whole numbers as text. Arrays and maps stay as they are, for a digest. */
function plainValue(value: unknown): unknown {
  if (!isFields(value)) return undefined
  return value['stringValue'] ?? value['intValue'] ?? value['doubleValue'] ?? value['boolValue'] ?? value['arrayValue']
}
