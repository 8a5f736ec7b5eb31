import type { Markable } from '../core/conversation/asked-breakpoints.ts'
import type { Breakpoints } from '../core/conversation/breakpoints.ts'
import type { ChatMessage } from '../core/conversation/window.ts'
import type { Reply, ToolDefinition } from '../core/conversation/turn.ts'
import type { Edit } from '../core/prompt/json-edit.ts'
import type { JsonMember, JsonNode, JsonObject } from '../core/prompt/json-text.ts'
import type { Breakpoint, Advice } from '../core/model/advice.ts'
import type { Primitive, ModelFacts } from '../core/model/facts.ts'
import type { Usage } from '../core/model/usage.ts'
import type { FailureValue } from '../contract/failure.ts'
import type { Compared } from './compared.ts'
import type { NeutralSettings } from './neutral-settings.ts'
import type { Wire } from './wire.ts'

/** What a caller asks of the cache, normalised. An absent member means the provider's default. */
export interface CacheRequest {
  mode: 'disabled' | 'best_effort' | 'required'
  strategy: CacheStrategy
  /**
   * A retention name of the model, or `default`, `short`, `extended`. Absent or `auto`: the body's own markers decide, else the planner.
   */
  retention?: string
  key?: string
}

/** `count`: the most breakpoints to set, the last at the end of the stable prefix. `at`: the field that named it. */
export type CacheStrategy =
  | 'automatic'
  | { explicit: ExplicitBreakpoint[] }
  | { last: number }
  | { count: number; at?: string }
  | { handle: string; at?: string }

export type ExplicitBreakpoint = { toolsEnd: true } | { itemEnd: number } | { partEnd: [item: number, part: number] }

/** A body in the provider's own form: as it arrived, or rendered from the neutral form. `text` is its exact JSON text. */
export interface NativeRequest {
  text: string
  /** The model, for wire formats that name it outside the body. It must agree with the body's own where both exist. */
  model?: string
  cache?: CacheRequest
  /** True: the whole body is the prefix, unless the strategy sets another end. */
  whole?: boolean
}

/** The neutral form with its `vars` filled in. All of it is the prefix. Schemas are raw JSON text, kept byte for byte. */
export interface NeutralRequest {
  model: string
  system?: string
  /** UTF-16 units of `system` that become a block of their own, because other requests begin with them too. Absent: it is one block. */
  systemHead?: number
  tools?: { name: string; description?: string; parametersText: string }[]
  messages?: { role: 'user' | 'assistant'; content: string }[]
  settings?: NeutralSettings
  cache?: CacheRequest
}

/** A registered prefix: the body cut at the end of the prefix, and the stream that a provider compares. */
export interface PreparedPrefix {
  model: string
  /** The caller's body without everything after the breakpoint. It is valid JSON, and the kept spans are byte-identical. */
  text: string
  breakpoint: Breakpoint
  /** Retention name that probes write at (`5m`, `1h`, …). */
  retention: string
  /** Lifetimes of its markers, the longest first, where they have several; probes keep them. Absent: one for all. */
  layout?: string[]
  /** Neither the caller nor a marker of the body names a retention: the planner may replace the model's default. */
  retentionOpen?: true
  /** Canonical token stream of what the provider compares. The caller adds provider, credential and account. */
  canonical: string
  /** Cache key of the body or of the cache request; null without one. It is part of the canonical stream. */
  cacheKey: string | null
  /** See `Compared`. */
  routing?: string
  /** Estimated prefix tokens: bytes of rendered text ÷ 4. What reservations go by is the bound (`providers/tokens`). */
  estimatedTokens: number
  /** Credentials of the body, in the order of its text, which holds a placeholder for each; absent: none. */
  credentials?: readonly string[]
  advice: Advice[]
}

/** One request to a provider: the path below the card's base URL, and the exact body. */
export interface ProbeRequest {
  /** `POST` when absent. Others are sent with `fetch` alone: no SDK sends them. */
  method?: 'GET' | 'POST' | 'PATCH' | 'DELETE'
  path: string
  body: string
  /** The most output tokens that the answer can bill. Reservations count with it. */
  outputTokens?: number
  /** Headers of this request alone, such as one that routes it to the machine with the entry. */
  headers?: Record<string, string>
}

export interface ProbeOptions {
  primitive: Primitive
  retention: string
  /** Output cap in tokens, instead of the primitive's minimum. */
  outputTokens?: number
  /** The prefix's cache key, for providers that take it in a header. */
  key?: string | null
  /** A text that no other probe has, for providers where the turn behind the prefix must not repeat. */
  nonce?: string
}

/** What an answer says. `rawUsage` is the provider's own usage object. */
export interface ProbeAnswer {
  usage: Usage
  rawUsage: unknown
  model: string | null
}

/** A mistake in a body, found before anything is sent. Path and `what` make one sentence: `system[1].cache_control: empty text …`. */
export interface Fault {
  /** Path in the body, such as `system[1].cache_control`. */
  path: string
  /** Stable identifier. docs/lint.md explains each. */
  cause: string
  what: string
  /** Sentence: what to do instead. */
  fix: string
  /** True: by its documents the provider answers 400 to a probe with it. False: only real requests have it, or it is no certain refusal. */
  refused: boolean
}

/** A wire format, without the differences of a provider. Cards refer to it, and the registry lists it. */
export interface DialectDefinition {
  /** `GET /providers` and docs/providers.md show it. */
  id: string
  /** Values for the members of `wire` that a card leaves out. */
  wire: Wire
  /** What sends its requests: the vendor's SDK, or plain `fetch`. */
  client: 'anthropic-sdk' | 'openai-sdk' | 'fetch'
  /** Path on the local simulator, used in development. Absent: the simulator does not have this format. */
  labPath?: string
  /** Whether a body whose provider is unknown has members of this format. The registry asks its dialects in order. */
  recognises(root: JsonNode): boolean
  create(wire: Wire): Dialect
}

/**
 * A wire format with the differences of one card. Pure: it writes requests and reads answers, and never fetches.
 * Throws `Failure` for bodies it cannot take: `invalid_request` with the field, or `unsupported`.
 */
export interface Dialect {
  /** Finds the end of the prefix, cuts the body there, and derives the stream that a provider compares. */
  prepare(request: NativeRequest, facts: (model: string) => ModelFacts): PreparedPrefix
  /** What the provider compares of a whole body beside its blocks. Throws as `prepare` does, where the body does not hold its whole prompt. */
  compared(request: NativeRequest, facts: (model: string) => ModelFacts): Compared
  /** The body in one of the spellings that the provider takes for the same. Absent: each value has one alone, but for white space and escapes. */
  spelled?(text: string): string
  /**
   * Mistakes in a body that the provider is known to refuse, in the order of the body. Absent: none are known.
   * The paths of a body that was cut are those of the whole one.
   */
  faults?(text: string, facts: ModelFacts): Fault[]
  /** Writes the neutral form as a native body, all of it prefix (`whole`). Throws `unsupported` at a setting that the format cannot say. */
  render(request: NeutralRequest): string
  /** Primitives that this body allows, best first. Example: Anthropic takes no zero output beside enabled thinking. */
  primitives(text: string, facts: ModelFacts): Primitive[]
  /** Writes a probe: edits of spans in the stored text, which is never serialised again. */
  probe(prefix: Pick<PreparedPrefix, 'text' | 'model' | 'breakpoint'>, options: ProbeOptions): ProbeRequest
  /** How its provider counts a request free of charge. Absent: it does not. A card says whether it is asked (`tokens.count`). */
  count?: CountFormat
  /**
   * Reads usage from a complete answer (JSON text, or the text of a server-sent stream). Throws `unreadable_answer`.
   * Some providers report a count in `headers`.
   */
  readAnswer(text: string, contentType: string, headers?: Headers): ProbeAnswer
  /** Normalises a usage object that a caller observed on a real request. Null: it is no usage object of this format. */
  readUsage(usage: unknown): Usage | null
  /** Reads an error answer. The provider's own text is never passed on. */
  readError(status: number, headers: Headers, text: string): ErrorReading
  /** Members of a body that are rendered into the prompt, in the order in which they are rendered. */
  sections: readonly Section[]
  markers: CacheMarkers
  lint: LintLayout
  turns: TurnFormat
  /** Facts assumed of a model that no row of a card describes. */
  unknownModel: Pick<ModelFacts, 'primitives' | 'writesReported' | 'sharedBy'>
  /** Output tokens of a probe that plans assume: the highest minimum of the format. */
  outputFloor: number
  /** Settings of the neutral form that it has no member for, at this provider. Absent: none. */
  lacks?: Wire['lacks']
}

/** The request that counts another, and the member of its answer with the tokens. Null: that may have tokens that it does not count. */
export interface CountFormat {
  request(request: ProbeRequest, model: string): ProbeRequest | null
  member: string
}

/** A member of the body that is rendered into the prompt. `names` lists its spellings. */
export interface Section {
  names: readonly string[]
  /** A list of blocks, one value, blocks or one string, or turns that hold blocks in `parts`. */
  kind: 'list' | 'value' | 'blocks' | 'turns'
  parts: string
  /** The member that contains it; null: the body itself. */
  outer: string | null
  /** Roles of turns that mean another, whose JSON text is given. Absent: each role is its own. */
  roles?: ReadonlyMap<string, string>
  /** A value that is rendered as the first turn of another section: its name, and the JSON text of the role. Absent: it is not. */
  turnOf?: readonly [name: string, role: string]
  /** Whether a value says what an absent one says. Absent: none does. */
  isUnsaid?(body: ReadBody, node: JsonNode): boolean
  /** Members of an item of a list that say what an absent one says. Absent: none does. */
  unsaidIn?(item: JsonNode): JsonMember[]
}

/** A request body: its text, and the JSON that was read from it. */
export interface ReadBody {
  text: string
  root: JsonObject
}

/** Finds and sets the cache markers of a format. Markers are controls, and no part of the prompt. */
export interface CacheMarkers {
  /** Members of a block that mark its end. */
  members: readonly string[]
  /** Member of list elements that are markers themselves and follow the block they mark; null: the format has no such elements. */
  element: string | null
  /**
   * Sets a marker at the end of one block. Returns the same text where one exists, and null where none can be set.
   * `turn` is the turn that contains the block; null: no turn does.
   */
  markBlock(body: ReadBody, block: { node: JsonNode; turn: JsonNode | null }, retention: string): string | null
  /** Edits that mark the end of the body and set all of its markers to `retention`. None where markers state no lifetime. */
  markEnd(body: ReadBody, retention: string): Edit[]
  /** Edits that set the body's own markers to `retention`. None where markers state no lifetime. */
  setRetention(body: ReadBody, retention: string): Edit[]
}

/** Where lint finds tools, system prompt, turns and markers in a body, and the parameter rules of the format. */
export interface LintLayout {
  tools: readonly string[]
  /** Members with the system prompt: a text, a list of parts, or an object with parts. */
  system: readonly string[]
  turns: string
  parts: string
  /** Member of a part that marks a breakpoint. A part with this member alone marks the part in front of it. */
  marker: string | null
  /** The most markers in a request; null: no limit. */
  maxMarkers: number | null
  /** Blocks that a lookup goes back from a marker; null: it does not go back. */
  lookback: number | null
  parameters: readonly ParameterRule[]
}

/** A parameter that changes or moves the prefix although it is no text of the prompt. */
export interface ParameterRule {
  path: readonly string[]
  when: (node: JsonNode) => boolean
  /** Whether a prefix that ends in front of the turns is the same with each of its values. Absent: it is not. */
  spares?: (facts: Pick<ModelFacts, 'settingsBeforeMessages'>) => boolean
  message: string
  fix: string
}

/** One call to a model within a turn. */
export interface Conversation {
  model: string
  /** System messages first. The last message is a user's or a tool's. */
  messages: readonly ChatMessage[]
  breakpoints: Breakpoints
  /** Text behind the last breakpoint that differs from call to call; null: none. */
  volatileText: string | null
  maxOutputTokens: number
  /** Null: no cache settings are sent. `key` is the same in all calls of a conversation. */
  cache: { retention: string; key: string } | null
  /** The same in all calls of a conversation: another list is another prompt. */
  tools: readonly ToolDefinition[]
  /** True: the tools stay listed, and the model may call none. */
  noTools: boolean
  stream: boolean
}

/** Writes and reads conversations in one wire format. Pure. */
export interface TurnFormat {
  /** Equal turns give equal bytes, and a turn adds its text at the end. */
  request(conversation: Conversation): ProbeRequest
  /** What the breakpoints of a call can mark. */
  markable(conversation: Pick<Conversation, 'model' | 'cache'>): Markable
  /** The model's text and tool calls, from the JSON objects of an answer. */
  reply(events: readonly Readonly<Record<string, unknown>>[], streamed: boolean): Reply
  /** The text in one event of a stream. */
  delta(event: Readonly<Record<string, unknown>>): string
  /** True: a prefix that is kept warm may end at a tool's result. False: it ends at the user's message before. */
  endsAtResults: boolean
}

export interface ErrorReading {
  failure: FailureValue
  /** The wait that the provider asked for; null: it named none. */
  retryAfterMs: number | null
  /** True: the provider refused the primitive (an unknown field, a minimum), so the next primitive may work. */
  primitiveRefused: boolean
  /** True: waiting does not help (quota spent, billing, key refused), and plans stop. */
  permanent: boolean
}
