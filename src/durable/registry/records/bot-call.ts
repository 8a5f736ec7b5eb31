import type { Arrival } from '../../../core/events/arrived.ts'
import type { Registration } from '../../../registration/registration.ts'
import type { LastEntry } from '../../../core/events/conversation-advanced.ts'

export function callId(turn: string, ask: number): string {
  return ask === 0 ? turn : `${turn}#${ask}`
}

export function summaryId(turn: string, n: number): string {
  return `${turn}#s${n}`
}

/** Of a tool's call. Without dots, because a signature puts them between id, time and body. */
export function toolId(bot: string, turn: string, ask: number, index: number): string {
  return `${bot}-${turn}-${ask}-${index}`
}

/** The turn and the kind of a call, from its id. */
export function callOf(id: string): { turn: string; purpose: 'answer' | 'summary' } {
  const [turn = '', step = ''] = id.split('#')
  return { turn, purpose: step.startsWith('s') ? 'summary' : 'answer' }
}

/** What a turn leaves behind: the first call's use of what was kept until then, and the prefix of the next turn. */
export interface FollowedTurn {
  bot: string
  arrival: Arrival
  /** The conversation as the next turn will send it, up to its last breakpoint. */
  registration: Registration
  entry: LastEntry
}
