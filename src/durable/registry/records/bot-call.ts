import type { Arrival } from '../../../core/events/arrived.ts'
import type { Registration } from '../../../registration/registration.ts'
import type { LastEntry } from '../../../core/events/conversation-advanced.ts'

/** The id of a turn's model call; `ask` is 0 for the first. */
export function callId(turn: string, ask: number): string {
  return ask === 0 ? turn : `${turn}#${ask}`
}

/** The id of a turn's summary call number `n`. */
export function summaryId(turn: string, n: number): string {
  return `${turn}#s${n}`
}

/** The id of a tool call. It has no dots, because a signature puts dots between id, time and body. */
export function toolId(bot: string, turn: string, ask: number, index: number): string {
  return `${bot}-${turn}-${ask}-${index}`
}

/** The turn and the purpose of a model call, from its id. */
export function callOf(id: string): { turn: string; purpose: 'answer' | 'summary' } {
  const [turn = '', step = ''] = id.split('#')
  return { turn, purpose: step.startsWith('s') ? 'summary' : 'answer' }
}

/** The result of a turn: what its first call used of the former prefix, and the prefix of the next turn. */
export interface FollowedTurn {
  bot: string
  arrival: Arrival
  /** The conversation as the next turn will send it, up to its last breakpoint. */
  registration: Registration
  entry: LastEntry
}
