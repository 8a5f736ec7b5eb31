import type { PrefixState } from '../prefix/state.ts'
import type { LearnedRetention } from '../prefix/parts.ts'

/** What the last call of a turn left at the provider: an entry that ends where the conversation did. */
export interface LeftEntry {
  /** Start of that call. */
  at: number
  tokens: number
  /** Whether its usage says so; otherwise the provider does not report it. */
  proved: boolean
}

/**
 * A prefix that is a conversation grows with each turn. It stays the same prefix, with its plan, its gaps, its losses and
 * what it spent today, so that all of them are the conversation's; only the entry is another one, written a moment ago.
 */
export function applyConversationAdvanced(
  state: PrefixState,
  entry: LeftEntry,
  retention: LearnedRetention | null,
): PrefixState {
  const over = state.stopped?.reason === 'uncacheable' || state.stopped?.reason === 'lapsed'
  return {
    ...state,
    generation: state.generation + 1,
    verdict: entry.proved ? 'warm' : 'unknown',
    anchorAt: entry.at,
    // What receipts taught about the same retention stays.
    retention: state.retention?.name === retention?.name ? state.retention : retention,
    measuredTokens: entry.tokens,
    readZeroInRow: 0,
    readZeroGapMs: null,
    silentInRow: 0,
    lastArrivalAt: Math.max(state.lastArrivalAt ?? 0, entry.at),
    stopped: over ? null : state.stopped,
  }
}
