import * as z from 'zod'
import {
  botCancel,
  botCancelled,
  botEvent,
  botMessage,
  newBot,
  nextTurnCache,
  snapshot,
  botAnswer,
  botErased,
  eventTaken,
  messageTaken,
  nextTurnCacheSet,
  toolSecretAnswer,
} from '../../contract/bot.ts'
import { listOf } from '../../contract/values.ts'
import { botsQuery, eraseQuery } from './routes.ts'
import { operationsOf } from '../server/openapi-operation.ts'

/** The routes below /bots. */
export const bots = operationsOf('account', {
  'POST /bots': {
    does: 'Starts a bot, new or from a snapshot.',
    body: newBot,
    idempotent: true,
    answers: { 201: botAnswer },
  },
  'GET /bots': {
    does: 'Lists bots, by their ids.',
    query: botsQuery,
    answers: listOf(botAnswer),
  },
  'GET /bots/tool-secret': {
    does: "Returns the secret with which the account's tools verify the signatures of calls.",
    answers: toolSecretAnswer,
  },
  'GET /bots/{id}': {
    does: 'Shows one bot: its state, its cost and its latest calls.',
    answers: botAnswer,
  },
  'POST /bots/{id}/messages': {
    does: 'Sends it a message. The answer arrives in its responses.',
    body: botMessage,
    idempotent: true,
    answers: { 202: messageTaken },
  },
  'POST /bots/{id}/events': {
    does: 'Sends it an event. The answer to a message arrives in its responses.',
    body: botEvent,
    idempotent: true,
    answers: { 202: eventTaken },
  },
  'POST /bots/{id}/next-turn-cache': {
    does: 'Sets the cache settings of the next turn only. Answers conflict while a turn waits or runs.',
    body: nextTurnCache,
    idempotent: true,
    answers: nextTurnCacheSet,
  },
  'POST /bots/{id}/cancel': {
    does: 'Gives up the turn that runs, or one that waits. The call under way is aborted, and its charge is returned.',
    body: botCancel,
    bodyOptional: true,
    idempotent: true,
    answers: botCancelled,
  },
  'POST /bots/{id}/pause': {
    does: 'Pauses it. It accepts messages but answers none until it is resumed.',
    idempotent: true,
    answers: botAnswer,
  },
  'POST /bots/{id}/resume': {
    does: 'Resumes it. It answers the waiting messages.',
    idempotent: true,
    answers: botAnswer,
  },
  'GET /bots/{id}/responses': {
    does: 'Opens a WebSocket or a stream of server-sent events with its future responses.',
    answers: { 101: 'application/json', 200: 'text/event-stream' },
  },
  'GET /bots/{id}/snapshot': {
    does: 'Returns its whole state, signed. The bot keeps running.',
    answers: snapshot,
  },
  'DELETE /bots/{id}': {
    does: 'Ends it, or deletes all of its data.',
    query: eraseQuery,
    answers: z.union([botAnswer, botErased]),
  },
})
