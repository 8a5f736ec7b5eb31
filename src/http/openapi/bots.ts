import * as z from 'zod'
import { botAnswer, botErased, botMessage, messageTaken, newBot, snapshot } from '../../contract/bots.ts'
import { eraseQuery } from '../bots.ts'
import { operationsOf } from './operation.ts'

/** The routes below /bots. */
export const bots = operationsOf('account', {
  'POST /bots': {
    does: 'Begins a conversation that goes on for as long as somebody talks to it, or goes on from a snapshot.',
    body: newBot,
    idempotent: true,
    answers: { 201: botAnswer },
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
  'GET /bots/{id}/responses': {
    does: 'Opens a WebSocket that hears its responses from now on.',
    answers: { 101: 'application/json' },
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
