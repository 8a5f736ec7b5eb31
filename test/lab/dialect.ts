import type { Fingerprints } from './fingerprints.ts'
import type { PrefixCache } from './cache-model.ts'
import type { EngineName, Engines } from './engines/engines.ts'
import type { JsonNode, JsonObject } from './json.ts'

export type ProviderName = 'anthropic' | 'openai' | 'gemini' | 'vertex' | 'bedrock' | EngineName

/** One HTTP request as a dialect sees it. */
export type Call = {
  provider: ProviderName
  method: string
  /** Path below the provider's mount, without its leading slash: `v1/messages`. */
  path: string
  query: URLSearchParams
  headers: Headers
  bodyText: string
  /** When the lab received it (virtual epoch ms). */
  at: number
  /** Counts requests; ids in answers are made from it. */
  seq: number
}

/** What a dialect learned before anything happens: who asks, what, and for which model. */
export type Opened = { account: string; model: string; body: JsonObject; operation: string }

/** Cache faults in force for this call. */
export type CacheFaults = { downgrade: boolean; hidden: boolean; noWrite: boolean }

/** A handle: bound to one model and one account, kept until `expiresAt` (epoch ms). Its contents cannot be read back. */
export type CachedContent = {
  name: string
  account: string
  model: string
  displayName: string
  createdAt: number
  updatedAt: number
  expiresAt: number
  tokens: number
  hash: string
  /** Names of the functions that it declares. */
  tools?: string[]
}

/** What a dialect may touch. */
export type World = {
  cache: PrefixCache
  handles: Map<string, CachedContent>
  saveHandle: (id: string) => void
  /** Engines that people run themselves. */
  engines: Engines
  /** Which machine an automatic cache sends this prefix to, now. */
  machine: (route: string, now: number) => number
  /** Milliseconds from the request's start to the answer's beginning. */
  firstTokenMs: (readTokens: number, totalTokens: number) => number
  /** Milliseconds that reading takes where it would take `ms`: none, when the lab answers at once. */
  readingMs: (ms: number) => number
  /** Milliseconds to write so many tokens. */
  writingMs: (outputTokens: number) => number
  faults: CacheFaults
  /** What requests with diagnostics are compared with. */
  prints: Fingerprints
}

/** A piece of a stream, sent `afterMs` after the answer began. */
export type Frame = { text: string; afterMs: number }

export type Answer = {
  json: unknown
  /** Present when the caller asked for a stream. */
  frames?: Frame[]
  /** The stream's content type, when it is not an event stream. */
  streamType?: string
  headers: Record<string, string>
  begunAt: number
  endsAt: number
  /** The provider's own usage object, for the transcript. */
  usage: unknown
}

/** An answer that is no success, in the provider's own shape. */
export class Refusal extends Error {
  readonly status: number
  readonly body: unknown
  readonly headers: Record<string, string>
  constructor(status: number, body: unknown, headers: Record<string, string> = {}) {
    super(`refused with ${status}`)
    this.status = status
    this.body = body
    this.headers = headers
  }
}

/** The refusals that can be asked for. */
export type RefusalKind = 'rate_limited' | 'insufficient_quota' | 'overloaded' | 'server_error' | 'geo_refusal'

export type Dialect = {
  provider: ProviderName
  /** Who asks for what. Throws a `Refusal` for a missing or bad key, a wrong path, a body that cannot be read, an unknown model. */
  open: (call: Call) => Opened
  /** Serves the call. Throws a `Refusal` for what the provider would not accept. */
  answer: (call: Call, opened: Opened, world: World) => Answer
  /** The provider's own way to say no. */
  refuse: (kind: RefusalKind, options: { retryAfterMs: number; status?: number | undefined }, call: Call) => Refusal
  /** The event that breaks a stream in the middle. */
  streamError: (call: Call) => string
}

/** A JSON object as a stream event. */
export function sse(data: unknown, event?: string): string {
  return `${event === undefined ? '' : `event: ${event}\n`}data: ${JSON.stringify(data)}\n\n`
}

/** The text of every answer: short, and a function of the prompt. */
export function answerText(promptHash: string): string {
  return `ok ${promptHash.slice(0, 8)}`
}

/** The answer cut to a budget of tokens, in the lab's count of four bytes a token. */
export function cutTo(text: string, maxTokens: number): string {
  return text.slice(0, Math.max(0, maxTokens) * 4)
}

export function textParts(text: string): string[] {
  return text.match(/.{1,4}/gs) ?? []
}

export function isBlank(node: JsonNode | undefined): boolean {
  return typeof node !== 'string' || node.trim() === ''
}
