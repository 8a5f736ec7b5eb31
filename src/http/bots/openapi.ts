import * as z from 'zod'
import {
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
import { eraseQuery } from './routes.ts'
import { operationsOf } from '../server/openapi-operation.ts'

/** The routes below /bots. */
export const bots = operationsOf('account', {
  'POST /bots': {
    does: 'Starts a bot, new or from a snapshot.',
    body: newBot,
    idempotent: true,
    answers: { 201: botAnswer },
  },
  'GET /bots/tool-secret': {
    does: "The secret with which the account's tools verify the signatures of calls.",
    answers: toolSecretAnswer,
  },
  'GET /bots/{id}': {
    does: 'One bot: its state, its cost, its latest calls.',
    answers: botAnswer,
  },
  'POST /bots/{id}/messages': {
    does: 'Sends it a message. Its responses carry the answer.',
    body: botMessage,
    idempotent: true,
    answers: { 202: messageTaken },
  },
  'POST /bots/{id}/events': {
    does: 'Sends it an event. Its responses carry the answer to a message.',
    body: botEvent,
    idempotent: true,
    answers: { 202: eventTaken },
  },
  'POST /bots/{id}/next-turn-cache': {
    does: 'Sets what the next turn alone asks of the cache. A conflict while a turn waits or is in flight.',
    body: nextTurnCache,
    idempotent: true,
    answers: nextTurnCacheSet,
  },
  'POST /bots/{id}/pause': {
    does: 'Pauses it: it takes messages, and answers none until it is resumed.',
    idempotent: true,
    answers: botAnswer,
  },
  'POST /bots/{id}/resume': {
    does: 'Resumes it with the messages that wait.',
    idempotent: true,
    answers: botAnswer,
  },
  'GET /bots/{id}/responses': {
    does: 'Opens a WebSocket or a server-sent stream of its responses from now on.',
    answers: { 101: 'application/json', 200: 'text/event-stream' },
  },
  'GET /bots/{id}/snapshot': {
    does: 'Its whole state, signed. It keeps running.',
    answers: snapshot,
  },
  'DELETE /bots/{id}': {
    does: 'Ends it, or deletes all of its data.',
    query: eraseQuery,
    answers: z.union([botAnswer, botErased]),
  },
})
