import type { Reply } from '../core/conversation/turn.ts'
import { readEvents, unreadable } from './dialects/shared/answer.ts'
import { dialectOf } from './registry.ts'
import { createDeltas } from './dialects/shared/deltas.ts'
import type { Card } from './card.ts'
import type { Conversation, ProbeRequest } from './dialect.ts'

export type { Conversation } from './dialect.ts'

/** What decides how a card is spoken to. */
type Spoken = Pick<Card, 'dialect' | 'wire'>

export function takesTools({ tools }: Pick<Card, 'tools'>): boolean {
  return tools !== false
}

/** Whether a prefix that is kept warm may end at a tool's result; where it may not, it ends at the user's message before. */
export function endsAtResults(card: Spoken): boolean {
  return dialectOf(card).turns.endsAtResults
}

/** Writes one call of a turn. Equal turns are equal bytes, and what a turn adds is at its end. */
export function turnRequest(
  card: Pick<Card, 'dialect' | 'wire' | 'streams'>,
  conversation: Omit<Conversation, 'stream'> & { stream?: boolean },
): ProbeRequest {
  const stream = (conversation.stream ?? false) && card.streams !== false
  return dialectOf(card).turns.request({ ...conversation, stream })
}

/** What the model said. Throws `unreadable_answer`, also where it said nothing and called nothing: an empty turn cannot be sent back. */
export function readReply(card: Spoken, text: string, contentType: string): Reply {
  const { events, streamed } = readEvents(text, contentType)
  const reply = dialectOf(card).turns.reply(events, streamed)
  if (reply.text.trim() === '' && reply.toolCalls.length === 0) throw unreadable('the model said nothing')
  return reply
}

/** Reads a stream as it comes: what it is given is a piece of the answer's text, and it tells the text that the model added. */
export function deltasOf(card: Spoken, tell: (text: string) => void): (piece: string) => void {
  return createDeltas(dialectOf(card).turns.delta, tell)
}
