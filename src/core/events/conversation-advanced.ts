import type { PrefixState } from '../prefix/state.ts'
import type { LearnedRetention } from '../prefix/parts.ts'

/** The entry that the last call of a turn left at the provider. It ends where the conversation ended. */
export interface LastEntry {
  /** Start of that call. */
  at: number
  tokens: number
  /** Tokens of that call's whole prompt and of its answer, as the answer counted them; absent: it did not. */
  promptTokens?: number
  /** True: its usage shows the entry. False: the provider does not report writes. */
  proved: boolean
}

/**
 * A conversation grew by one turn. It stays the same prefix and keeps its plan, gaps, losses and spending; only its entry is new.
 * `retention`: the one that the entry was written at.
 */
export function applyConversationAdvanced(
  { drift: _earlierText, countedTokens: _earlierCount, ...state }: PrefixState,
  entry: LastEntry,
  retention: LearnedRetention | null,
): PrefixState {
  const isEnded = state.stopped?.reason === 'uncacheable' || state.stopped?.reason === 'lapsed'
  return {
    ...state,
    generation: state.generation + 1,
    verdict: entry.proved ? 'warm' : 'unknown',
    anchorAt: entry.at,
    // What receipts showed about the same retention stays.
    retention: state.retention?.name === retention?.name ? state.retention : retention,
    measuredTokens: entry.tokens,
    ...(entry.promptTokens === undefined ? {} : { countedTokens: entry.promptTokens }),
    readZeroInRow: 0,
    readZeroGapMs: null,
    silentInRow: 0,
    lastArrivalAt: Math.max(state.lastArrivalAt ?? 0, entry.at),
    stopped: isEnded ? null : state.stopped,
  }
}
