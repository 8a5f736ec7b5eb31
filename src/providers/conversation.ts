import type { Reply } from '../core/conversation/turn.ts'
import { readEvents, unreadable } from './dialects/shared/answer.ts'
import { wireOf } from './registry.ts'
import { messagesTurns } from './dialects/anthropic-messages/turn.ts'
import { converseTurns } from './dialects/bedrock-converse/turn.ts'
import { createDeltas } from './dialects/shared/deltas.ts'
import type { Conversation, TurnFormat } from './dialects/shared/turn-format.ts'
import { geminiTurns } from './dialects/gemini-content/turn.ts'
import { chatTurns } from './dialects/openai/chat-turn.ts'
import { responsesTurns } from './dialects/openai/responses-turn.ts'
import type { Card, DialectId } from './card.ts'
import type { ProbeRequest } from './dialect.ts'

export type { Conversation } from './dialects/shared/turn-format.ts'

/** Conversations are held in every wire format of the registry; a new provider is a card here too. */
const FORMATS: Readonly<Record<DialectId, TurnFormat>> = {
  'anthropic-messages': messagesTurns,
  'openai-responses': responsesTurns,
  'openai-chat': chatTurns,
  'gemini-content': geminiTurns,
  'bedrock-converse': converseTurns,
}

/** Providers whose models call no functions of the caller's. Source: their cards' pages, checked 2026-11-21. */
const WITHOUT_TOOLS = new Set(['perplexity'])

/** Answers come whole: a binary stream, and one whose usage cannot be asked for. */
const WITHOUT_STREAM = new Set(['bedrock', 'mistral'])

export function takesTools({ id }: Pick<Card, 'id'>): boolean {
  return !WITHOUT_TOOLS.has(id)
}

/** Whether a prefix that is kept warm may end at a tool's result; where it may not, it ends at the user's message before. */
export function endsAtResults({ dialect }: Pick<Card, 'dialect'>): boolean {
  return dialect !== 'openai-responses'
}

export function streams({ id }: Pick<Card, 'id'>): boolean {
  return !WITHOUT_STREAM.has(id)
}

/** Writes one call of a turn. Equal turns are equal bytes, and what a turn adds is at its end. */
export function turnRequest(
  card: Pick<Card, 'id' | 'dialect' | 'wire'>,
  conversation: Omit<Conversation, 'stream'> & { stream?: boolean },
): ProbeRequest {
  const stream = (conversation.stream ?? false) && streams(card)
  return FORMATS[card.dialect].request({ ...conversation, stream }, wireOf(card))
}

/** What the model said. Throws `unreadable_answer`, also where it said nothing and called nothing: an empty turn cannot be sent back. */
export function readReply(card: Pick<Card, 'dialect'>, text: string, contentType: string): Reply {
  const { events, streamed } = readEvents(text, contentType)
  const reply = FORMATS[card.dialect].reply(events, streamed)
  if (reply.text.trim() === '' && reply.toolCalls.length === 0) throw unreadable('the model said nothing')
  return reply
}

/** Reads a stream as it comes: what it is given is a piece of the answer's text, and it tells the text that the model added. */
export function deltasOf(card: Pick<Card, 'dialect'>, tell: (text: string) => void): (piece: string) => void {
  return createDeltas(FORMATS[card.dialect].delta, tell)
}
