import {
  accountChange,
  newAccount,
  newKey,
  accountAnswer,
  accountWithUse,
  credentialAnswer,
  keyAnswer,
  newKeyAnswer,
  erasedPromptsAnswer,
  revokedAnswer,
} from '../../contract/account.ts'
import { deletedAnswer, listOf } from '../../contract/values.ts'
import { newCredential } from '../../contract/credential.ts'
import { newWebhook, newWebhookAnswer, webhookAnswer, webhookTestAnswer } from '../../contract/webhook.ts'
import { exportQuery } from './export.ts'
import { accountsQuery } from './routes.ts'
import { operationsOf } from '../server/openapi-operation.ts'

const exportOf = (whose: string) => ({
  does: `Streams a page of all that is stored of ${whose}, prompts included and secrets not, as lines of JSON.`,
  query: exportQuery,
  answers: { 200: 'application/x-ndjson' },
})

/** What an account does with all that is stored of it. */
const own = operationsOf('account', {
  'DELETE /prompts': {
    does: "Erases the account's stored prompts, and keeps what is known about them.",
    answers: erasedPromptsAnswer,
  },
  'GET /export': exportOf('the account'),
})

const administered = operationsOf('admin', {
  'GET /accounts/{id}/export': exportOf('an account'),
  'POST /accounts': {
    does: 'Creates an account.',
    body: newAccount,
    answers: { 201: accountAnswer },
  },
  'GET /accounts': {
    does: 'Lists accounts by name.',
    query: accountsQuery,
    answers: listOf(accountAnswer),
  },
  'GET /accounts/{id}': {
    does: 'Shows one account, with its usage.',
    answers: accountWithUse,
  },
  'PATCH /accounts/{id}': {
    does: 'Changes its budget, secrets or kill switch.',
    body: accountChange,
    answers: accountAnswer,
  },
  'DELETE /accounts/{id}': {
    does: 'Deletes it and everything in it.',
    answers: deletedAnswer,
  },
  'DELETE /accounts/{id}/prompts': {
    does: 'Erases its stored prompts, and keeps what is known about them.',
    answers: erasedPromptsAnswer,
  },
  'POST /accounts/{id}/keys': {
    does: 'Creates a key.',
    body: newKey,
    bodyOptional: true,
    answers: { 201: newKeyAnswer },
  },
  'GET /accounts/{id}/keys': {
    does: 'Lists its keys, without their secrets.',
    answers: listOf(keyAnswer),
  },
  'DELETE /accounts/{id}/keys/{kid}': {
    does: 'Revokes a key. It stops working everywhere within 30 seconds.',
    answers: revokedAnswer,
  },
  'PUT /accounts/{id}/credentials/{name}': {
    does: "Stores a provider's key, encrypted. Replacing a key starts a new generation.",
    body: newCredential,
    answers: { 200: credentialAnswer, 201: credentialAnswer },
  },
  'GET /accounts/{id}/credentials': {
    does: 'Lists its credentials, without their secrets.',
    answers: listOf(credentialAnswer),
  },
  'DELETE /accounts/{id}/credentials/{name}': {
    does: 'Deletes a credential. Plans that use it stop.',
    answers: deletedAnswer,
  },
  'PUT /accounts/{id}/webhook': {
    does: 'Sets the webhook for stopped plans. Undelivered messages are sent again.',
    body: newWebhook,
    answers: { 200: newWebhookAnswer, 201: newWebhookAnswer },
  },
  'GET /accounts/{id}/webhook': {
    does: 'Shows the webhook for stopped plans, with its deliveries.',
    answers: webhookAnswer,
  },
  'POST /accounts/{id}/webhook/test': {
    does: 'Posts one test message and returns the answer of the endpoint.',
    answers: webhookTestAnswer,
  },
  'DELETE /accounts/{id}/webhook': {
    does: 'Deletes the webhook and its undelivered messages.',
    answers: deletedAnswer,
  },
})

/** Accounts, their keys and their credentials. */
export const accounts = [...own, ...administered]
