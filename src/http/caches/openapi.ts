import * as z from 'zod'
import { listOf } from '../../contract/values.ts'
import {
  cacheAnswer,
  cacheChange,
  cacheCreation,
  cacheDeleted,
  cacheDryRun,
  cacheHistoryAnswer,
  cacheMade,
  cacheReported,
  goneReport,
} from '../../contract/caches.ts'
import { cacheHistoryQuery, cacheQuery, cachesQuery, ofProvider } from './routes.ts'
import { operationsOf } from '../server/openapi-operation.ts'

/** The routes below /caches. */
export const caches = operationsOf('account', {
  'GET /caches': {
    does: 'Lists managed caches, newest first, in their last known state. The list is empty for providers without them.',
    query: cachesQuery,
    answers: listOf(cacheAnswer),
  },
  'POST /caches': {
    does: 'Creates a managed cache of contents at a provider. Callers with the same contents share it.',
    body: cacheCreation,
    idempotent: true,
    answers: { 200: z.union([cacheMade, cacheDryRun]), 201: cacheMade },
  },
  'GET /caches/{id}': {
    does: 'Shows one managed cache, with a handle that the provider confirmed. Creates it again if it is gone.',
    query: cacheQuery,
    answers: cacheAnswer,
  },
  'PATCH /caches/{id}': {
    does: 'Renews it and changes how long it is kept.',
    query: ofProvider,
    body: cacheChange,
    answers: cacheAnswer,
  },
  'DELETE /caches/{id}': {
    does: 'Deletes it, at the provider too.',
    query: ofProvider,
    answers: cacheDeleted,
  },
  'POST /caches/{id}/report-gone': {
    does: 'Reports that the provider refused its handle. It is checked, and replaced if it is gone.',
    body: goneReport,
    bodyOptional: true,
    answers: cacheReported,
  },
  'GET /caches/{id}/history': {
    does: 'Lists what happened to it and what it cost, newest first.',
    query: cacheHistoryQuery,
    answers: listOf(cacheHistoryAnswer),
  },
})
