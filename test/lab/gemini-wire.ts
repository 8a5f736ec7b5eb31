import { Refusal } from './dialect.ts'
import type { Call, RefusalKind } from './dialect.ts'
import { isObject } from './json.ts'
import type { JsonNode, JsonObject } from './json.ts'

const STATUS_BY_CODE: Record<number, string> = {
  400: 'INVALID_ARGUMENT',
  401: 'UNAUTHENTICATED',
  403: 'PERMISSION_DENIED',
  404: 'NOT_FOUND',
  429: 'RESOURCE_EXHAUSTED',
  500: 'INTERNAL',
  503: 'UNAVAILABLE',
  504: 'DEADLINE_EXCEEDED',
}

/** Source: google.rpc.Status as JSON, `{error: {code, message, status, details}}`, Gemini API docs troubleshooting; checked 2026-11-21. */
export function geminiRefusal(code: number, message: string, details: object[] = [], status?: string): Refusal {
  const error = {
    code,
    message,
    status: status ?? STATUS_BY_CODE[code] ?? 'UNKNOWN',
    ...(details.length > 0 ? { details } : {}),
  }
  return new Refusal(code, { error }, { 'content-type': 'application/json; charset=UTF-8' })
}

export function errorInfo(reason: string): object {
  return {
    '@type': 'type.googleapis.com/google.rpc.ErrorInfo',
    reason,
    domain: 'googleapis.com',
    metadata: { service: 'generativelanguage.googleapis.com' },
  }
}

function quotaDetails(metric: string, retryAfterMs: number | undefined): object[] {
  const details: object[] = [
    {
      '@type': 'type.googleapis.com/google.rpc.QuotaFailure',
      violations: [{ quotaMetric: `generativelanguage.googleapis.com/${metric}`, quotaId: metric }],
    },
  ]
  if (retryAfterMs !== undefined) {
    const retryDelay = `${Number((retryAfterMs / 1000).toFixed(3))}s`
    details.push({ '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay })
  }
  return details
}

/** A 429 tells when to return in its details, not reliably in a header. Source: Gemini API docs, rate-limits; checked 2026-11-21. */
export function refuseGemini(
  kind: RefusalKind,
  options: { retryAfterMs: number; status?: number | undefined },
  _call: Call,
): Refusal {
  const exhausted = 'You exceeded your current quota, please check your plan and billing details.'
  switch (kind) {
    case 'rate_limited':
      return geminiRefusal(
        429,
        exhausted,
        quotaDetails('GenerateRequestsPerMinutePerProjectPerModel', options.retryAfterMs),
      )
    case 'insufficient_quota':
      return geminiRefusal(
        429,
        `${exhausted} Limit 0 for TotalCachedContentStorageTokensPerModelFreeTier.`,
        quotaDetails('TotalCachedContentStorageTokensPerModelFreeTier', undefined),
      )
    case 'overloaded':
      return geminiRefusal(options.status ?? 503, 'The model is overloaded. Please try again later.', [], 'UNAVAILABLE')
    case 'server_error':
      return geminiRefusal(options.status ?? 500, 'An internal error has occurred. Please retry.')
    case 'geo_refusal':
      return geminiRefusal(400, 'User location is not supported for the API use.', [], 'FAILED_PRECONDITION')
  }
}

/** A member under its JSON name or its proto name: the API takes both. */
export function field(node: JsonNode | undefined, name: string): JsonNode | undefined {
  if (!isObject(node)) return undefined
  return node.get(name) ?? node.get(name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`))
}

/** Refuses members that the API does not know. */
export function checkMembers(body: JsonObject, known: ReadonlySet<string>): void {
  for (const name of body.keys()) {
    const jsonName = name.replace(/_([a-z])/g, (_all, letter: string) => letter.toUpperCase())
    if (known.has(jsonName)) continue
    throw geminiRefusal(400, `Invalid JSON payload received. Unknown name "${name}": Cannot find field.`, [
      {
        '@type': 'type.googleapis.com/google.rpc.BadRequest',
        fieldViolations: [{ description: `Unknown name "${name}"` }],
      },
    ])
  }
}

/**
 * The body as the API reads it, whichever way it is spelled: names in camel case, enums in capitals, lists in full. Maps and values of the
 * caller keep their names. Sources: protobuf.dev, ProtoJSON; the curl examples of ai.google.dev; checked 2026-11-30.
 */
export function asMessage(body: JsonObject): JsonObject {
  return new Map([...body].map(([given, value]) => named(given, value, 'message')))
}

function named(given: string, value: JsonNode, kind: 'message' | 'schema'): [string, JsonNode] {
  const name = given.replace(/(?<=.)_([a-z])/g, (_all, letter: string) => letter.toUpperCase())
  return [name, readAs(name, value, kind)]
}

function inside(node: JsonNode, kind: 'message' | 'schema'): JsonNode {
  if (Array.isArray(node)) return node.map((item) => inside(item, kind))
  return isObject(node) ? new Map([...node].map(([given, value]) => named(given, value, kind))) : node
}

const OWN_NAMES = new Set(['args', 'response', 'labels', 'parametersJsonSchema', 'responseJsonSchema'])
const ENUMS = new Set(['mode', 'thinkingLevel'])
const LISTS = new Set(['contents', 'parts', 'tools', 'functionDeclarations'])

function readAs(name: string, value: JsonNode, kind: 'message' | 'schema'): JsonNode {
  if (kind === 'schema') {
    if (name === 'type' && typeof value === 'string') return value.toUpperCase()
    if (name !== 'properties' || !isObject(value)) return inside(value, kind)
    return new Map([...value].map(([own, schema]) => [own, inside(schema, kind)] as const))
  }
  if (OWN_NAMES.has(name)) return value
  if (name === 'parameters' || name === 'responseSchema') return inside(value, 'schema')
  if (ENUMS.has(name) && typeof value === 'string') return value.toUpperCase()
  return inside(LISTS.has(name) && isObject(value) ? [value] : value, 'message')
}

/**
 * Refuses Anthropic's marker, which is no field of any message, and a system prompt that is no message. Sources: google-gemini/gemini-cli#13972
 * and musistudio/claude-code-router#187 (unknown names inside of messages, with their path); threads on `systemInstruction` as a string, which
 * SDKs turn into a message only where a model is made; checked 2026-11-30.
 */
export function checkMessages(body: JsonObject): void {
  const system = field(body, 'systemInstruction')
  if (typeof system === 'string') {
    throw geminiRefusal(
      400,
      `Invalid value at 'system_instruction' (type.googleapis.com/google.ai.generativelanguage.v1beta.Content), ${JSON.stringify(system)}`,
    )
  }
  const path = foreignMarker(asMessage(body), '')
  if (path === undefined) return
  const at = path === '' ? '' : ` at '${path}'`
  throw geminiRefusal(400, `Invalid JSON payload received. Unknown name "cache_control"${at}: Cannot find field.`)
}

/** The message that has the marker, by the names of the proto; `undefined`: none has. */
function foreignMarker(node: JsonNode, path: string): string | undefined {
  if (Array.isArray(node)) return firstOf(node.map((item, i) => foreignMarker(item, `${path}[${i}]`)))
  if (!isObject(node)) return undefined
  if (node.has('cacheControl')) return path
  const messages = [...node].filter(([name]) => !OWN_NAMES.has(name) && !SCHEMAS.has(name))
  return firstOf(
    messages.map(([name, value]) => {
      const proto = name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
      return foreignMarker(value, path === '' ? proto : `${path}.${proto}`)
    }),
  )
}

const SCHEMAS = new Set(['parameters', 'responseSchema'])

function firstOf(paths: readonly (string | undefined)[]): string | undefined {
  return paths.find((path) => path !== undefined)
}
