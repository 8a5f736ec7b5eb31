/**
 * How many tokens a request can have at most. Reservations, and the refusal of prompts that are too short, go by nothing else until an answer
 * counts the request.
 */

/** A part of a request whose bytes do not limit its tokens. */
export type PartKind = 'image' | 'video' | 'document' | 'file' | 'server_tool' | 'mcp_server' | 'stored_prompt'

export interface OpaquePart {
  kind: PartKind
  /** Its path in the request, such as `messages[0].content[1]`. */
  path: string
}

/** What a request holds, as far as it limits its tokens. */
export interface PromptSize {
  /** UTF-8 bytes of all that is written in it, as JSON without white space, but for the data of opaque parts. */
  bytes: number
  /** At least the tokens of the same texts in the public vocabulary; null: they were not counted. */
  vocabularyTokens: number | null
  messages: number
  tools: number
  parts: readonly OpaquePart[]
}

/** What a provider may bill for a request, as its card says. */
export interface TokenRule {
  /** Most tokens for each one of the public vocabulary; absent: its tokenizer is not public, and a byte can be a token. */
  vocabularyRatio?: number
  /** Tokens that the provider adds: to each request, to each message, to each tool, and to all requests with tools. */
  added: { request: number; message: number; tool: number; anyTool: number }
  /** Most tokens of one opaque part. A kind that is absent has no limit that anybody states. */
  parts: Readonly<Partial<Record<PartKind, number>>>
}

/** `unbounded`: the path of a part that has no limit, so that `most` is null. */
export type TokenBound = { most: number; unbounded?: undefined } | { most: null; unbounded: string }

/** The most tokens that a provider can bill for a request: the least of all limits that hold for it. */
export function tokenBound(size: PromptSize, rule: TokenRule): TokenBound {
  const { added, parts: limits, vocabularyRatio } = rule
  let most = added.request + added.message * size.messages + added.tool * size.tools
  if (size.tools > 0) most += added.anyTool
  for (const { kind, path } of size.parts) {
    const limit = limits[kind]
    if (limit === undefined) return { most: null, unbounded: path }
    most += limit
  }
  const counted =
    vocabularyRatio === undefined || size.vocabularyTokens === null
      ? Infinity
      : Math.ceil(size.vocabularyTokens * vocabularyRatio)
  return { most: most + Math.min(size.bytes, counted) }
}

/** Both hold for one content, so the lower one does. `known` is undefined where an older row has none. */
export function lowerBound(known: TokenBound | undefined, given: TokenBound): TokenBound {
  if (known === undefined || known.most === null) return given
  return given.most !== null && given.most < known.most ? given : known
}

/** A provider's own count of a request may be a little below what it bills. */
export interface CountMargin {
  /** Share of the count, such as 0.02. */
  share: number
  tokens: number
}

/** The most tokens of a request that the provider itself has counted. It holds for opaque parts too. */
export function boundByCount(bound: TokenBound, counted: number, { share, tokens }: CountMargin): TokenBound {
  const most = Math.ceil(counted * (1 + share)) + tokens
  return { most: bound.most === null ? most : Math.min(bound.most, most) }
}
