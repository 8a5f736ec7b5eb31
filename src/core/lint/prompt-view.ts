import type { SeenTool } from './tools.ts'

/**
 * Looks for what makes a prefix miss, or what should not stand in one. Nothing is changed, and no finding quotes the text.
 * One request cannot show what the next will look like: rules go by how a thing is written, and let pass what is shown in code
 * or as an example.
 */

export type Part = 'tools' | 'system' | 'turns'

/** A string of the body, decoded. */
export interface Piece {
  /** JSON pointer (RFC 6901). */
  at: string
  text: string
}

/** What a provider counts as one block: a tool, or a part of the system prompt or of a turn. */
export interface Block {
  at: string
  part: Part
  pieces: readonly Piece[]
  /** The marker behind it: where it stands, and how long it asks the entry to live, in the order of the retentions. */
  marker: { at: string; rank: number } | null
  /** Neighbours of one such kind count as a single block of a lookup. */
  run: string | null
}

/** A prefix as lint sees it, in the order in which it is rendered. */
export interface PromptView {
  blocks: readonly Block[]
  tools: readonly SeenTool[]
  estimatedTokens: number
  /** Null where the provider does not say. */
  minimumTokens: number | null
  /** How many markers a request may carry, and how many blocks a lookup goes back from one; null: no such limit. */
  maxMarkers: number | null
  lookback: number | null
}
