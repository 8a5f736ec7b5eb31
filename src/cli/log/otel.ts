import { fault, isFields, readCount, readText, shown, TOKENS_RIGHT } from './entry.ts'
import type { Fields, Reading } from './entry.ts'
import { beginning } from './system.ts'
import { readTime, TIME_FORMS } from './time.ts'

/**
 * Spans of OpenTelemetry's GenAI conventions in OTLP JSON, as the collector's file exporter and OTLP/HTTP write them
 * (https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans, https://opentelemetry.io/docs/specs/otlp, read 2026-11-21).
 * `gen_ai.usage.input_tokens` counts the cached tokens too. Names of older versions are understood as well.
 */
export function isOtel(fields: Fields): boolean {
  return Array.isArray(fields['resourceSpans'])
}

/** Operations that send one request to a model. Spans of agents are left out, because they repeat the counts of their children. */
const INFERENCE = ['chat', 'text_completion', 'generate_content']

export function readOtel(fields: Fields): Reading[] {
  return list(fields['resourceSpans']).flatMap((resource) =>
    list(resource['scopeSpans']).flatMap((scope) => list(scope['spans']).map(readSpan)),
  )
}

function readSpan(span: Fields): Reading {
  const attributes = new Map(list(span['attributes']).map(({ key, value }) => [String(key), plainValue(value)]))
  const first = (...names: string[]): unknown =>
    names.map((name) => attributes.get(name)).find((value) => value !== undefined)
  const operation = readText(first('gen_ai.operation.name', 'llm.request.type'))
  const tokensName = attributes.has('gen_ai.usage.input_tokens')
    ? 'gen_ai.usage.input_tokens'
    : 'gen_ai.usage.prompt_tokens'
  const inference = operation === null ? attributes.has(tokensName) : INFERENCE.includes(operation)
  if (!inference) return { leftOut: 'spans that are not requests to a model' }
  if (attributes.has('error.type')) return { leftOut: 'failed calls' }
  const at = readTime(span['startTimeUnixNano'])
  if (at === null) return fault('startTimeUnixNano', TIME_FORMS)
  const tokens = readCount(first(tokensName))
  if (tokens === undefined) return fault(tokensName, TOKENS_RIGHT)
  const read = readCount(first('gen_ai.usage.cache_read.input_tokens', 'gen_ai.usage.cache_read_input_tokens')) ?? 0
  const written =
    readCount(first('gen_ai.usage.cache_creation.input_tokens', 'gen_ai.usage.cache_creation_input_tokens')) ?? 0
  const [prefix, label] = prefixOf(first)
  return {
    entry: {
      prefix,
      label,
      provider: readText(first('gen_ai.provider.name', 'gen_ai.system')),
      model: readText(first('gen_ai.request.model', 'gen_ai.response.model')),
      at,
      tokens: tokens === 0 ? null : tokens,
      cached: read + written,
    },
  }
}

/** Identifies the prefix by the prompt's name, else by captured system instructions, else by the agent, else by the model alone. */
function prefixOf(first: (...names: string[]) => unknown): [prefix: string, label: string] {
  const prompt = readText(first('gen_ai.prompt.name'))
  if (prompt !== null) return [`prompt ${prompt}`, shown(prompt, 'prompt')]
  const said = first('gen_ai.system_instructions')
  const tools = first('gen_ai.tool.definitions')
  const system =
    said === undefined ? beginning(first('gen_ai.input.messages'), tools) : beginning({ system: said }, tools)
  if (system !== null) return [`system ${system}`, `system ${system.slice(0, 8)}`]
  const agent = readText(first('gen_ai.agent.name', 'gen_ai.agent.id'))
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
