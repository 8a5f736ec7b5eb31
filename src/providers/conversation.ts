import type { Markable } from '../core/conversation/asked-breakpoints.ts'
import type { Reply } from '../core/conversation/turn.ts'
import { readEvents, unreadable } from './dialects/shared/answer.ts'
import { dialectOf } from './registry.ts'
import { UNMARKED } from './dialects/shared/turn-format.ts'
import { createDeltas } from './dialects/shared/deltas.ts'
import type { Card } from './card.ts'
import type { Conversation, ProbeRequest } from './dialect.ts'

export type { Conversation } from './dialect.ts'

/** The members of a card that determine its dialect. */
type HasDialect = Pick<Card, 'dialect' | 'wire'>

/** Whether the provider's models call functions of the caller. */
export function takesTools({ tools }: Pick<Card, 'tools'>): boolean {
  return tools !== false
}

/** Whether a prefix that is kept warm may end at a tool's result. Where it may not, it ends at the user's message before. */
export function endsAtResults(card: HasDialect): boolean {
  return dialectOf(card).turns.endsAtResults
}

/** What the breakpoints of a conversation's calls can mark. Nothing, at a provider that is no longer known. */
export function markableIn(
  card: HasDialect | undefined,
  conversation: Pick<Conversation, 'model' | 'cache'>,
): Markable {
  return card === undefined ? UNMARKED : dialectOf(card).turns.markable(conversation)
}

/** Writes one call of a turn. Equal turns give equal bytes, and a turn adds its text at the end. */
export function turnRequest(
  card: Pick<Card, 'dialect' | 'wire' | 'streams'>,
  conversation: Omit<Conversation, 'stream'> & { stream?: boolean },
): ProbeRequest {
  const stream = (conversation.stream ?? false) && card.streams !== false
  return dialectOf(card).turns.request({ ...conversation, stream })
}

/** Reads the model's reply. Throws `unreadable_answer`, also for a reply without text and calls: an empty turn cannot be sent back. */
export function readReply(card: HasDialect, text: string, contentType: string): Reply {
  const { events, streamed } = readEvents(text, contentType)
  const reply = dialectOf(card).turns.reply(events, streamed)
  if (reply.text.trim() === '' && reply.toolCalls.length === 0) throw unreadable('the model returned no text')
  return reply
}

/** Reads a stream in pieces. The returned function takes a piece of the answer's text and passes the model's new text to `onText`. */
export function deltasOf(card: HasDialect, onText: (text: string) => void): (piece: string) => void {
  return createDeltas(dialectOf(card).turns.delta, onText)
}
