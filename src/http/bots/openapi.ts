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
    does: 'Begins a conversation that goes on for as long as somebody talks to it, or goes on from a snapshot.',
    body: newBot,
    idempotent: true,
    answers: { 201: botAnswer },
  },
  'GET /bots/tool-secret': {
    does: "What the account's tools check the signatures of calls with.",
    answers: toolSecretAnswer,
  },
  'GET /bots/{id}': {
    does: 'One bot: its state, its cost, its latest calls.',
    answers: botAnswer,
  },
  'POST /bots/{id}/messages': {
    does: 'Says something to it. The answer comes through its responses.',
    body: botMessage,
    idempotent: true,
    answers: { 202: messageTaken },
  },
  'POST /bots/{id}/events': {
    does: 'Puts an event into its mailbox. Of a message the answer comes through its responses.',
    body: botEvent,
    idempotent: true,
    answers: { 202: eventTaken },
  },
  'POST /bots/{id}/next-turn-cache': {
    does: 'Says what the next turn alone asks of the cache; a conflict while a turn waits or is in flight.',
    body: nextTurnCache,
    idempotent: true,
    answers: nextTurnCacheSet,
  },
  'POST /bots/{id}/pause': {
    does: 'Parks it: it takes messages, and answers none until it is resumed.',
    idempotent: true,
    answers: botAnswer,
  },
  'POST /bots/{id}/resume': {
    does: 'Goes on with what waits.',
    idempotent: true,
    answers: botAnswer,
  },
  'GET /bots/{id}/responses': {
    does: 'Opens a WebSocket, or a server-sent stream, that hears its responses from now on.',
    answers: { 101: 'application/json', 200: 'text/event-stream' },
  },
  'GET /bots/{id}/snapshot': {
    does: 'All that it is, signed. It goes on meanwhile.',
    answers: snapshot,
  },
  'DELETE /bots/{id}': {
    does: 'Ends it, or deletes everything of it.',
    query: eraseQuery,
    answers: z.union([botAnswer, botErased]),
  },
})
