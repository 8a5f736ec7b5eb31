import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { vi } from 'vitest'
import type { FailureKind } from '../../src/contract/failure.ts'
import { dialectOf, modelFacts } from '../../src/providers/registry.ts'
import type { Card } from '../../src/providers/card.ts'
import { runLease } from '../../src/calls/probe.ts'
import { clockFrom } from '../../src/runtime/clock.ts'
import type { Vars } from '../../src/runtime/env.ts'
import { VARIABLES } from './prepared.ts'
import type { Lease, Outcome } from '../../src/calls/lease.ts'
import type { Usage } from '../../src/core/model/usage.ts'
import type { PreparedPrefix } from '../../src/providers/dialect.ts'

/** What a card's file says: documented answers, and what must be read from them. */
export interface Fixture {
  source: string
  checked: string
  model: string
  /** Where a cache key belongs: `body:NAME` or `header:NAME`. */
  key?: string
  /** Where the credential belongs, if not behind `Authorization: Bearer`. */
  header?: string
  scheme?: string
  refused?: FailureKind
  answers: { says: string; body: object; stream?: unknown[]; headers?: Record<string, string>; usage: Partial<Usage> }[]
  errors: ErrorFixture[]
}

export interface ErrorFixture {
  says: string
  status: number
  headers?: Record<string, string>
  body: unknown
  kind: FailureKind
  permanent: boolean
  retryAfterMs?: number
  primitiveRefused?: boolean
  geo?: boolean
}

export function fixtureOf(id: string): Fixture | null {
  const path = join(import.meta.dirname, 'fixtures', `${id}.json`)
  return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as Fixture) : null
}

export const CREDENTIAL = 'credential-of-ours'

/** The system prompt and a tool's schema as they stand in a body, spelled in ways that a second writing would lose. */
export const SYSTEM = String.raw`"You are caf\u00e9 \/ support.\n${'Answer from the policy. '.repeat(220)}"`
export const SCHEMA = '{"type":"object","properties":{"10":{"type":"number","x":1.0},"2":{"type":"string"}},"x":1e2}'

/** A body of the card's wire format. `last` is what the user says, `spaced` puts white space where none matters. */
export function bodyFor({ dialect }: Card, model: string, last: string, spaced: boolean, extra = ''): string {
  const said = JSON.stringify(last)
  const bodies: Record<string, string> = {
    'anthropic-messages': `{"model":"${model}","max_tokens":512,${extra}"tools":[{"name":"find","input_schema":${SCHEMA}}],"system":[{"type":"text","text":${SYSTEM}}],"messages":[{"role":"user","content":${said}}]}`,
    'openai-responses': `{"model":"${model}",${extra}"tools":[{"type":"function","name":"find","parameters":${SCHEMA}}],"input":[{"role":"developer","content":${SYSTEM}},{"role":"user","content":${said}}]}`,
    'openai-chat': `{"model":"${model}",${extra}"tools":[{"type":"function","function":{"name":"find","parameters":${SCHEMA}}}],"messages":[{"role":"system","content":${SYSTEM}},{"role":"user","content":${said}}]}`,
    'gemini-content': `{${extra}"systemInstruction":{"parts":[{"text":${SYSTEM}}]},"tools":[{"functionDeclarations":[{"name":"find","parametersJsonSchema":${SCHEMA}}]}],"contents":[{"role":"user","parts":[{"text":${said}}]}]}`,
    'bedrock-converse': `{${extra}"toolConfig":{"tools":[{"toolSpec":{"name":"find","inputSchema":{"json":${SCHEMA}}}}]},"system":[{"text":${SYSTEM}}],"messages":[{"role":"user","content":[{"text":${said}}]}]}`,
  }
  const body = bodies[dialect.id] ?? ''
  return spaced ? space(body) : body
}

/** White space between tokens, outside of strings. */
function space(text: string): string {
  return text.replace(/"(?:[^"\\]|\\.)*"|[{}[\],:]/g, (token) => (token.startsWith('"') ? token : ` ${token}\n\t`))
}

export function prepare(card: Card, model: string, text: string, key?: string): PreparedPrefix {
  return dialectOf(card).prepare(
    {
      text,
      model,
      ...(key === undefined ? {} : { cache: { mode: 'best_effort', strategy: 'automatic', key } }),
    },
    (id) => modelFacts(card, id, Date.UTC(2026, 10, 21)),
  )
}

export interface Sending {
  url: URL
  headers: Headers
  body: string
}

export type Answering = (sending: Sending) => Response | Promise<Response>

/** Sends a probe of a prefix the whole way: lease, address, credential, transport, and the reading of what comes back. */
export async function sendProbe(
  card: Card,
  prefix: PreparedPrefix,
  answer: Answering,
  options: {
    vars?: Partial<Vars> & Record<string, string>
    timeoutMs?: number
    id?: string
    headers?: Record<string, string>
    place?: string | null
  } = {},
): Promise<{ outcome: Outcome; answer: string | null; sent: Sending[] }> {
  const sent: Sending[] = []
  vi.spyOn(globalThis, 'fetch').mockImplementation(async (input, init) => {
    const url = new URL(input instanceof Request ? input.url : String(input))
    const sending = { url, headers: new Headers(init?.headers), body: String(init?.body) }
    sent.push(sending)
    return answer(sending)
  })
  const clock = clockFrom({})
  const primitive =
    dialectOf(card).primitives(prefix.text, modelFacts(card, prefix.model, clock.now()))[0] ?? 'one_token'
  const lease: Lease = {
    id: options.id ?? 'lease-1',
    seq: 1,
    k: 1,
    purpose: 'write',
    primitive,
    notBeforeAt: 0,
    sendBy: Number.MAX_SAFE_INTEGER,
    timeoutMs: options.timeoutMs ?? 5_000,
    expiresAt: Number.MAX_SAFE_INTEGER,
    reservedNanos: 0,
    attempt: 1,
    provider: card.id,
    model: prefix.model,
    credential: 'default',
    credentialGeneration: 1,
    retention: prefix.retention,
    maxOutputTokens: null,
  }
  const vars = { ...VARIABLES, [card.secret]: CREDENTIAL, WARM_ANYWAY: 'perplexity', ...options.vars } as Vars
  try {
    const { text, breakpoint, cacheKey } = prefix
    const { headers = {}, place } = options
    const bodyOf = async () => ({ text, breakpoint, cacheKey, headers, ...(place === undefined ? {} : { place }) })
    return { ...(await runLease(lease, { clock, vars, allowedSecrets: [card.secret], bodyOf })), sent }
  } finally {
    vi.restoreAllMocks()
  }
}

export function jsonAnswer(body: unknown, init: ResponseInit = {}): Response {
  return new Response(JSON.stringify(body), {
    ...init,
    headers: { 'content-type': 'application/json', ...(init.headers as Record<string, string> | undefined) },
  })
}

export function streamAnswer(events: readonly unknown[], headers: Record<string, string> = {}): Response {
  const text = events.map((event) => `data: ${typeof event === 'string' ? event : JSON.stringify(event)}\n\n`).join('')
  return new Response(text, { headers: { 'content-type': 'text/event-stream', ...headers } })
}

/** The sentences of a body: what a person wrote, and what must go no further. */
export function sentences(value: unknown): string[] {
  if (typeof value === 'string') return value.includes(' ') ? [value] : []
  if (typeof value !== 'object' || value === null) return []
  return Object.values(value).flatMap(sentences)
}
