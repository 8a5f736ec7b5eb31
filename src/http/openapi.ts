import * as z from 'zod'
import { accountChange, killSwitch, newAccount, newKey } from '../contract/account.ts'
import * as answers from '../contract/answers.ts'
import { newCredential } from '../contract/credential.ts'
import { providerChange } from '../contract/override.ts'
import * as botted from '../contract/bots.ts'
import * as cached from '../contract/caches.ts'
import { FAILURES } from '../contract/failures.ts'
import { observations } from '../contract/observation.ts'
import { announceBody, signalBody } from '../contract/signal.ts'
import { prefixChange, previewBody, warmAgainBody, warmBody } from '../contract/warm.ts'
import { VERSION } from '../runtime/version.ts'
import { accountsQuery } from './accounts.ts'
import { eraseQuery } from './bots.ts'
import { cacheHistoryQuery, cacheQuery, cachesQuery, ofProvider } from './caches.ts'
import { room } from './context.ts'
import { historyQuery } from './history.ts'
import { ledgerQuery } from './ledger.ts'
import { listQuery } from './prefixes.ts'

const { listOf } = answers

/** One operation of the API: what the document says of a route. */
export interface Operation {
  method: 'get' | 'post' | 'put' | 'patch' | 'delete'
  path: string
  does: string
  key: 'account' | 'admin' | null
  body?: z.ZodType
  bodyOptional?: true
  query?: z.ZodObject
  idempotent?: true
  /** Status → schema; a string is the media type of an answer that is not JSON. */
  answers: Record<number, z.ZodType | string>
}

export const operations: readonly Operation[] = [
  { method: 'get', path: '/', does: 'The page that people look at.', key: null, answers: { 200: 'text/html' } },
  {
    method: 'get',
    path: '/health',
    does: 'Whether this deployment does its work.',
    key: null,
    answers: { 200: answers.healthAnswer },
  },
  {
    method: 'get',
    path: '/openapi.json',
    does: 'This document.',
    key: null,
    answers: { 200: z.record(z.string(), z.unknown()) },
  },
  {
    method: 'post',
    path: '/warm',
    does: 'Registers a prefix and warms it. Calls for one content share one request to the provider.',
    key: 'account',
    body: warmBody,
    idempotent: true,
    answers: { 200: z.union([answers.warmAnswer, answers.dryRunAnswer]), 202: answers.warmAnswer },
  },
  {
    method: 'get',
    path: '/prefixes',
    does: 'Lists prefixes, the newest first. A filter may leave a page short.',
    key: 'account',
    query: listQuery,
    answers: { 200: listOf(answers.prefixAnswer) },
  },
  {
    method: 'get',
    path: '/prefixes/{id}',
    does: 'One prefix.',
    key: 'account',
    answers: { 200: answers.prefixAnswer },
  },
  {
    method: 'patch',
    path: '/prefixes/{id}',
    does: 'Changes its name or parts of its plan.',
    key: 'account',
    body: prefixChange,
    answers: { 200: answers.prefixAnswer },
  },
  {
    method: 'delete',
    path: '/prefixes/{id}',
    does: 'Stops and forgets it.',
    key: 'account',
    answers: { 200: answers.deletedAnswer },
  },
  {
    method: 'get',
    path: '/prefixes/{id}/warmth',
    does: 'What to believe of it, with the last receipt.',
    key: 'account',
    answers: { 200: answers.warmthAnswer },
  },
  {
    method: 'get',
    path: '/prefixes/{id}/history',
    does: 'What happened to it, in order.',
    key: 'account',
    query: historyQuery,
    answers: { 200: listOf(answers.historyAnswer) },
  },
  {
    method: 'get',
    path: '/prefixes/{id}/request',
    does: 'The exact body that real requests must begin with.',
    key: 'account',
    answers: { 200: answers.requestAnswer },
  },
  {
    method: 'post',
    path: '/prefixes/{id}/warm',
    does: 'Warms it now.',
    key: 'account',
    body: warmAgainBody,
    bodyOptional: true,
    idempotent: true,
    answers: { 200: answers.warmAnswer, 202: answers.warmAnswer },
  },
  {
    method: 'post',
    path: '/prefixes/{id}/preview',
    does: 'What another plan would have cost and saved on the idle gaps that were seen of it. Nothing is changed or sent.',
    key: 'account',
    body: previewBody,
    answers: { 200: answers.previewAnswer },
  },
  {
    method: 'post',
    path: '/prefixes/{id}/signals',
    does: 'Says that the session is over, or that work is running that will come back.',
    key: 'account',
    body: signalBody,
    idempotent: true,
    answers: { 200: answers.prefixAnswer },
  },
  {
    method: 'post',
    path: '/prefixes/{id}/announce',
    does: 'Says that traffic is coming: be warm by then.',
    key: 'account',
    body: announceBody,
    idempotent: true,
    answers: { 200: answers.prefixAnswer },
  },
  {
    method: 'post',
    path: '/observations',
    does: 'Reports what real requests used. They renew the clock of their prefix.',
    key: 'account',
    body: observations,
    idempotent: true,
    answers: { 200: listOf(answers.observedAnswer) },
  },
  {
    method: 'get',
    path: '/jobs/{id}',
    does: 'One job in the background.',
    key: 'account',
    answers: { 200: answers.jobAnswer },
  },
  {
    method: 'get',
    path: '/caches',
    does: 'Lists managed caches, the newest first, as last known. Empty for a provider without them.',
    key: 'account',
    query: cachesQuery,
    answers: { 200: listOf(cached.cacheAnswer) },
  },
  {
    method: 'post',
    path: '/caches',
    does: 'Has a provider keep contents under a handle. One content has one handle, whoever asks.',
    key: 'account',
    body: cached.cacheCreation,
    idempotent: true,
    answers: { 200: cached.cacheMade, 201: cached.cacheMade },
  },
  {
    method: 'get',
    path: '/caches/{id}',
    does: 'One managed cache, with a handle that the provider confirmed, made anew if need be.',
    key: 'account',
    query: cacheQuery,
    answers: { 200: cached.cacheAnswer },
  },
  {
    method: 'patch',
    path: '/caches/{id}',
    does: 'Renews it, and changes how long it is kept.',
    key: 'account',
    query: ofProvider,
    body: cached.cacheChange,
    answers: { 200: cached.cacheAnswer },
  },
  {
    method: 'delete',
    path: '/caches/{id}',
    does: 'Deletes it, at the provider too.',
    key: 'account',
    query: ofProvider,
    answers: { 200: cached.cacheDeleted },
  },
  {
    method: 'post',
    path: '/caches/{id}/report-gone',
    does: 'Says that the provider refused its handle. Checked, and replaced if it is so.',
    key: 'account',
    body: cached.goneReport,
    bodyOptional: true,
    answers: { 200: cached.cacheReported },
  },
  {
    method: 'get',
    path: '/caches/{id}/history',
    does: 'What happened to it and what it cost, the newest first.',
    key: 'account',
    query: cacheHistoryQuery,
    answers: { 200: listOf(cached.cacheHistoryAnswer) },
  },
  {
    method: 'post',
    path: '/bots',
    does: 'Begins a conversation that goes on for as long as somebody talks to it, or goes on from a snapshot.',
    key: 'account',
    body: botted.newBot,
    idempotent: true,
    answers: { 201: botted.botAnswer },
  },
  {
    method: 'get',
    path: '/bots/{id}',
    does: 'One bot: its state, its cost, its latest calls.',
    key: 'account',
    answers: { 200: botted.botAnswer },
  },
  {
    method: 'post',
    path: '/bots/{id}/messages',
    does: 'Says something to it. The answer comes through its responses.',
    key: 'account',
    body: botted.botMessage,
    idempotent: true,
    answers: { 202: botted.messageTaken },
  },
  {
    method: 'get',
    path: '/bots/{id}/responses',
    does: 'Opens a WebSocket that hears its responses from now on.',
    key: 'account',
    answers: { 101: 'application/json' },
  },
  {
    method: 'get',
    path: '/bots/{id}/snapshot',
    does: 'All that it is, signed. It goes on meanwhile.',
    key: 'account',
    answers: { 200: botted.snapshot },
  },
  {
    method: 'delete',
    path: '/bots/{id}',
    does: 'Ends it, or deletes everything of it.',
    key: 'account',
    query: eraseQuery,
    answers: { 200: z.union([botted.botAnswer, botted.botErased]) },
  },
  {
    method: 'get',
    path: '/providers',
    does: 'The providers, and what is known of their models.',
    key: 'account',
    answers: { 200: listOf(answers.providerAnswer) },
  },
  {
    method: 'get',
    path: '/providers/{id}',
    does: "What the administrator said over a provider's card, the newest first.",
    key: 'admin',
    answers: { 200: listOf(answers.overrideAnswer) },
  },
  {
    method: 'patch',
    path: '/providers/{id}',
    does: 'Puts facts over those of the card: in force everywhere within 30 seconds.',
    key: 'admin',
    body: providerChange,
    answers: { 200: listOf(answers.overrideAnswer) },
  },
  {
    method: 'delete',
    path: '/providers/{id}',
    does: 'Back to the card alone.',
    key: 'admin',
    answers: { 200: listOf(answers.overrideAnswer) },
  },
  {
    method: 'get',
    path: '/ledger',
    does: 'What warming cost and what it saved: entry by entry, by day or by prefix.',
    key: 'account',
    query: ledgerQuery,
    answers: { 200: answers.ledgerAnswer },
  },
  {
    method: 'get',
    path: '/metrics',
    does: "This account's totals, for Prometheus.",
    key: 'account',
    answers: { 200: 'text/plain' },
  },
  {
    method: 'post',
    path: '/accounts',
    does: 'Creates an account.',
    key: 'admin',
    body: newAccount,
    answers: { 201: answers.accountAnswer },
  },
  {
    method: 'get',
    path: '/accounts',
    does: 'Lists accounts by name.',
    key: 'admin',
    query: accountsQuery,
    answers: { 200: listOf(answers.accountAnswer) },
  },
  {
    method: 'get',
    path: '/accounts/{id}',
    does: 'One account, with its use.',
    key: 'admin',
    answers: { 200: answers.accountWithUse },
  },
  {
    method: 'patch',
    path: '/accounts/{id}',
    does: 'Changes its budget, secrets or kill switch.',
    key: 'admin',
    body: accountChange,
    answers: { 200: answers.accountAnswer },
  },
  {
    method: 'delete',
    path: '/accounts/{id}',
    does: 'Deletes it and everything in it.',
    key: 'admin',
    answers: { 200: answers.deletedAnswer },
  },
  {
    method: 'post',
    path: '/accounts/{id}/keys',
    does: 'Makes a key.',
    key: 'admin',
    body: newKey,
    bodyOptional: true,
    answers: { 201: answers.newKeyAnswer },
  },
  {
    method: 'get',
    path: '/accounts/{id}/keys',
    does: 'Lists its keys, without their secrets.',
    key: 'admin',
    answers: { 200: listOf(answers.keyAnswer) },
  },
  {
    method: 'delete',
    path: '/accounts/{id}/keys/{kid}',
    does: 'Revokes a key: within 30 seconds everywhere.',
    key: 'admin',
    answers: { 200: answers.revokedAnswer },
  },
  {
    method: 'put',
    path: '/accounts/{id}/credentials/{name}',
    does: "Stores a provider's key, sealed, or replaces it: a new generation.",
    key: 'admin',
    body: newCredential,
    answers: { 200: answers.credentialAnswer, 201: answers.credentialAnswer },
  },
  {
    method: 'get',
    path: '/accounts/{id}/credentials',
    does: 'Lists its credentials, without their secrets.',
    key: 'admin',
    answers: { 200: listOf(answers.credentialAnswer) },
  },
  {
    method: 'delete',
    path: '/accounts/{id}/credentials/{name}',
    does: 'Deletes a credential. Plans that used it stop.',
    key: 'admin',
    answers: { 200: answers.deletedAnswer },
  },
  {
    method: 'post',
    path: '/kill-switch',
    does: 'Stops every plan of every account, or lets them go on.',
    key: 'admin',
    body: killSwitch,
    answers: { 200: answers.killSwitchAnswer },
  },
]

type Json = Record<string, unknown>

function schemaOf(schema: z.ZodType, io: 'input' | 'output'): Json {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: 'any' }) as Json
  return rest
}

function operationJson(operation: Operation): Json {
  const { does, key, body, query, path, answers: given } = operation
  const parameters = [
    ...[...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
      name,
      in: 'path',
      required: true,
      schema: { type: 'string' },
    })),
    ...Object.entries(query?.shape ?? {}).map(([name, schema]) => ({
      name,
      in: 'query',
      required: false,
      schema: schemaOf(schema as z.ZodType, 'input'),
    })),
    ...(operation.idempotent === true
      ? [{ name: 'Idempotency-Key', in: 'header', required: false, schema: { type: 'string', maxLength: 255 } }]
      : []),
  ]
  const responses: Json = {}
  for (const [status, answer] of Object.entries(given)) {
    const [media, schema] =
      typeof answer === 'string' ? [answer, { type: 'string' }] : ['application/json', schemaOf(answer, 'output')]
    responses[status] = { description: 'Done.', content: { [media]: { schema } } }
  }
  responses['default'] = { $ref: '#/components/responses/Failure' }
  return {
    summary: does,
    operationId: `${operation.method}${path.replaceAll(/[{}]/g, '').replaceAll(/\W+(\w?)/g, (_, letter: string) => letter.toUpperCase())}`,
    security: key === null ? [] : [{ [key]: [] }],
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(body === undefined
      ? {}
      : {
          requestBody: {
            required: operation.bodyOptional !== true,
            content: { 'application/json': { schema: schemaOf(body, 'input') } },
          },
        }),
    responses,
  }
}

/** OpenAPI 3.1, made from the schemas that requests are read with. */
export function openapiDocument(): Json {
  const paths: Record<string, Json> = {}
  for (const operation of operations) {
    paths[operation.path] = { ...paths[operation.path], [operation.method]: operationJson(operation) }
  }
  const bearer = (description: string) => ({ type: 'http', scheme: 'bearer', description })
  const table = Object.entries(FAILURES).map(
    ([kind, { status, retryable }]) => `${kind}: ${status}${retryable ? ', may be tried again' : ''}`,
  )
  return {
    openapi: '3.1.0',
    info: { title: 'Pilotlight', version: VERSION, description: "Keeps LLM providers' prompt caches warm." },
    paths,
    components: {
      securitySchemes: { account: bearer("An account's key."), admin: bearer("The administrator's key.") },
      responses: {
        Failure: {
          description: `A failure, by kind. ${table.join(' · ')}`,
          content: { 'application/json': { schema: schemaOf(answers.errorAnswer, 'output') } },
        },
      },
    },
  }
}

let text: string | null = null

export const openapi = room().get('/openapi.json', (c) => {
  text ??= JSON.stringify(openapiDocument())
  return c.body(text, 200, { 'content-type': 'application/json' })
})
