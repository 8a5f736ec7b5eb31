import type { Breakpoints } from '../core/conversation/breakpoints.ts'
import type { ChatMessage } from '../core/conversation/window.ts'
import type { Reply, ToolDefinition } from '../core/conversation/turn.ts'
import type { Edit } from '../core/prompt/json-edit.ts'
import type { JsonNode, JsonObject } from '../core/prompt/json-text.ts'
import type { Breakpoint, Advice } from '../core/model/advice.ts'
import type { Primitive, ModelFacts } from '../core/model/facts.ts'
import type { Usage } from '../core/model/usage.ts'
import type { FailureValue } from '../contract/failure.ts'
import type { Wire } from './wire.ts'

/** What a caller asks of the cache, in the one normalised form. Absent members mean: the provider's default. */
export interface CacheRequest {
  mode: 'disabled' | 'best_effort' | 'required'
  strategy: CacheStrategy
  /** A retention name of the model, or a neutral wish; absent or `auto`: what the body's own markers say, else what the planner chooses. */
  retention?: string
  key?: string
}

/** `count`: at most so many breakpoints, at the end of the stable prefix. `at`: the field that the handle was given in. */
export type CacheStrategy =
  | 'automatic'
  | { explicit: ExplicitBreakpoint[] }
  | { last: number }
  | { count: number }
  | { handle: string; at?: string }

export type ExplicitBreakpoint = { toolsEnd: true } | { itemEnd: number } | { partEnd: [item: number, part: number] }

/** A body that arrived in the provider's own form (`text` is the exact JSON text of the request), or was rendered to it. */
export interface NativeRequest {
  text: string
  /** The envelope's `model`, for wire formats that carry it outside the body; must agree with the body's own where both exist. */
  model?: string
  cache?: CacheRequest
  /** True where all of it is the prefix, unless a strategy says otherwise. */
  whole?: boolean
}

/** The neutral form, after `vars` are filled in: everything given is the prefix. Schemas are raw JSON text, kept byte for byte. */
export interface NeutralRequest {
  model: string
  system?: string
  tools?: { name: string; description?: string; parametersText: string }[]
  messages?: { role: 'user' | 'assistant'; content: string }[]
  cache?: CacheRequest
}

/** A registered prefix: the body cut at its end, and what a provider would compare. */
export interface PreparedPrefix {
  model: string
  /** The registered body with everything after the breakpoint removed: valid JSON, the kept spans byte-identical to the caller's. */
  text: string
  breakpoint: Breakpoint
  /** Retention name that probes write at (`5m`, `1h`, …). */
  retention: string
  /** Neither the caller nor a marker of the body's own says which: the one above is the model's default, and another may be taken. */
  retentionOpen?: true
  /** Canonical token stream of what the provider compares, without provider, credential and account (the caller adds those). */
  canonical: string
  /** Cache key inside the body or the cache request, if any (part of the canonical stream as well). */
  cacheKey: string | null
  /** Estimate of prefix tokens (bytes of rendered text ÷ 4), for reservations before the first receipt. */
  estimatedTokens: number
  /** UTF-8 bytes of rendered text: `bytes / 2` is the most tokens that it could plausibly be. */
  renderedBytes: number
  advice: Advice[]
}

/** One request to a provider, ready to be sent: path below the card's base URL, exact body. */
export interface ProbeRequest {
  /** `POST` when absent. Another one only where no SDK carries the call. */
  method?: 'GET' | 'POST' | 'PATCH' | 'DELETE'
  path: string
  body: string
  /** The most output tokens that the answer can bill: what a reservation has to count with. */
  outputTokens?: number
  /** Headers of this request alone, such as the one that steers it to the machine that holds the entry. */
  headers?: Record<string, string>
}

export interface ProbeOptions {
  primitive: Primitive
  retention: string
  /** Overrides the floor of the primitive. */
  outputTokens?: number
  /** The prefix's cache key, for providers that take it in a header; a key in the body is there already. */
  key?: string | null
  /** Something that no other probe has, for providers where the turn behind the prefix must not repeat. */
  nonce?: string
}

/** What an answer said. `raw` is the provider's own usage object, kept beside the normalised one. */
export interface ProbeAnswer {
  usage: Usage
  rawUsage: unknown
  model: string | null
}

/** A wire format as cards name it: what is the same at every provider that speaks it, and how a card's dialect is made. */
export interface DialectDefinition {
  /** Shown by `GET /providers` and in the documents. */
  id: string
  /** What holds where a card names no difference. */
  wire: Wire
  /** The client that carries its requests: the vendor's SDK, or plain `fetch`. */
  client: 'anthropic-sdk' | 'openai-sdk' | 'fetch'
  /** Path on the local simulator, in development. Absent: the simulator does not speak it. */
  labPath?: string
  /** Whether a body of unknown origin is in this format, by members that it does not share with those before it in the registry. */
  recognises(root: JsonNode): boolean
  create(wire: Wire): Dialect
}

/**
 * A wire format with a card's differences. Pure both ways: it describes a call and reads an answer, and never fetches.
 * Throws `Failure` (`invalid_request` naming the field, `unsupported`) for bodies it cannot take.
 */
export interface Dialect {
  /** Finds where the prefix ends, cuts the body there, and reads out what a provider would compare. */
  prepare(request: NativeRequest, facts: (model: string) => ModelFacts): PreparedPrefix
  /** Writes the neutral form as a native body. All of it is the prefix, which `renderNeutral` (neutral.ts) tells `prepare`. */
  render(request: NeutralRequest): string
  /** Which primitives this very body allows, best first (Anthropic: no zero output beside enabled thinking, and so on). */
  primitives(text: string, facts: ModelFacts): Primitive[]
  /** The probe: the stored text edited by spans, never re-serialised. `outputTokens` overrides the floor of the primitive. */
  probe(prefix: Pick<PreparedPrefix, 'text' | 'model' | 'breakpoint'>, options: ProbeOptions): ProbeRequest
  /**
   * Reads usage from a complete answer (JSON text, or the text of a server-sent stream). Throws `unreadable_answer`.
   * `headers` are asked where a provider counts in them as well.
   */
  readAnswer(text: string, contentType: string, headers?: Headers): ProbeAnswer
  /** The same normalisation for a usage object that a caller observed on a real request; null when it is no such object. */
  readUsage(usage: unknown): Usage | null
  /** What an error answer means; never carries the provider's own text. */
  readError(status: number, headers: Headers, text: string): ErrorReading
  /** Members of a body that are rendered into the prompt, in the order in which they are rendered. */
  sections: readonly Section[]
  markers: CacheMarkers
  lint: LintLayout
  turns: TurnFormat
  /** What the format allows on a model that no row of a card describes. */
  unknownModel: Pick<ModelFacts, 'primitives' | 'writesReported'>
  /** Output tokens that a plan counts with: the most that a probe of the format may have to ask for. */
  outputFloor: number
}

/** A member of the body that is rendered into the prompt; a format may have two spellings for one. */
export interface Section {
  names: readonly string[]
  /** A list of blocks, one value, blocks that may be written as one string, or turns that hold blocks in `parts`. */
  kind: 'list' | 'value' | 'blocks' | 'turns'
  parts: string
  /** The member that it lies in; null: it is the body's own. */
  outer: string | null
}

/** A request body: its text, and the JSON that was read from it. */
export interface ReadBody {
  text: string
  root: JsonObject
}

/** How the cache markers of a format are found and set. They are controls, and no part of the prompt. */
export interface CacheMarkers {
  /** Members of a block that mark its end. */
  members: readonly string[]
  /** Member of an element that is a marker by itself, behind the block that it marks; null: the format has none. */
  element: string | null
  /**
   * The body with a marker behind one of its blocks; the same text where one stands there. Null where the format has no markers, or
   * no place for one there. `turn` is the turn that holds the block, if one does.
   */
  behind(body: ReadBody, block: { node: JsonNode; turn: JsonNode | null }, retention: string): string | null
  /** Edits that mark the end of the body and put all of its markers at `retention`. None where markers state no lifetime. */
  atEnd(body: ReadBody, retention: string): Edit[]
  /** Edits that put the body's own markers at `retention`. None where markers state no lifetime. */
  atRetention(body: ReadBody, retention: string): Edit[]
}

/** How a wire format lays out what lint reads, and which of its parameters lint knows. */
export interface LintLayout {
  tools: readonly string[]
  /** Members that hold the system prompt: a text, a list of parts, or an object with parts. */
  system: readonly string[]
  turns: string
  parts: string
  /** Member of a part that marks a breakpoint; a part that consists of it is a marker for the one in front. */
  marker: string | null
  /** Markers that a request may carry; null: no limit. */
  maxMarkers: number | null
  /** How many blocks a lookup goes back from a marker; null: it does not. */
  lookback: number | null
  parameters: readonly ParameterRule[]
}

/** A parameter that is compared with the prefix, or that moves it, although it does not look like prompt. */
export interface ParameterRule {
  path: readonly string[]
  when: (node: JsonNode) => boolean
  message: string
  fix: string
}

/** One call of a turn, as it is asked of a model. */
export interface Conversation {
  model: string
  /** System messages in front; the last one is the user's, or a tool's. */
  messages: readonly ChatMessage[]
  breakpoints: Breakpoints
  /** Said behind the last breakpoint, because it is another text each time; null: nothing. */
  aside: string | null
  maxOutputTokens: number
  /** null: nothing is asked of the cache. `key` is one and the same for a whole conversation. */
  cache: { retention: string; key: string } | null
  /** The same in every call of a conversation: another list is another prompt. */
  tools: readonly ToolDefinition[]
  /** The tools stay listed, and none may be called. */
  noTools: boolean
  stream: boolean
}

/** How one wire format holds a conversation. Pure both ways, as a dialect is. */
export interface TurnFormat {
  /** Equal turns are equal bytes, and what a turn adds is at its end. */
  request(conversation: Conversation): ProbeRequest
  /** What the model said and called, from the JSON objects of its answer. */
  reply(events: readonly Readonly<Record<string, unknown>>[], streamed: boolean): Reply
  /** The text that one event of a stream adds. */
  delta(event: Readonly<Record<string, unknown>>): string
  /** Whether a prefix that is kept warm may end at a tool's result; where it may not, it ends at the user's message before. */
  endsAtResults: boolean
}

export interface ErrorReading {
  failure: FailureValue
  /** How long the provider asked us to wait; null when it did not say. */
  retryAfterMs: number | null
  /** True when the provider refused the primitive itself (an unknown field, a floor), so that the next one of the ladder may work. */
  primitiveRefused: boolean
  /** True for failures that waiting will not heal (quota spent, billing, key refused): plans stop. */
  permanent: boolean
}
