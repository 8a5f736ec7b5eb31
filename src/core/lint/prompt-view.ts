import type { ToolView } from './tools.ts'

/**
 * Input of lint. Lint changes nothing, and no finding quotes the text. One request does not show what the next will contain, so
 * rules match how a thing is written, and skip code and examples.
 */

export type Part = 'tools' | 'system' | 'turns'

/** A decoded string of the body. */
export interface Piece {
  /** JSON pointer (RFC 6901). */
  at: string
  text: string
}

/** What a provider counts as one block: a tool, or one part of the system prompt or of a turn. */
export interface Block {
  at: string
  part: Part
  pieces: readonly Piece[]
  /** The marker at its end: JSON pointer, and rank of its retention (longer retentions rank higher). */
  marker: { at: string; rank: number } | null
  /** Neighbours with the same value count as one block of a lookup; null: counts by itself. */
  run: string | null
}

/** A prefix for lint. Blocks are in the order in which the provider renders them. */
export interface PromptView {
  blocks: readonly Block[]
  tools: readonly ToolView[]
  estimatedTokens: number
  /** Null: the provider does not state it. */
  minimumTokens: number | null
  /** Markers that a request may have, and blocks that a lookup goes back from one; null: no limit. */
  maxMarkers: number | null
  lookback: number | null
}
