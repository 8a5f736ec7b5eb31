import * as z from 'zod'
import { deletedAnswer, listOf } from '../../contract/values.ts'
import { gatewayBody, gatewayAnswer, poolWarmAnswer } from '../../contract/model-pool.ts'
import { observations } from '../../contract/observation.ts'
import { preloadBody, preloadAnswer } from '../../contract/preload.ts'
import { warmBody, dryRunAnswer, jobAnswer, observedAnswer, renderAnswer, warmAnswer } from '../../contract/warm.ts'
import { jobQuery } from './jobs.ts'
import { operationsOf } from '../server/openapi-operation.ts'

/** Warming, observations, preloads, pools and jobs. */
export const warm = operationsOf('account', {
  'POST /warm': {
    does: 'Registers a prefix and warms it. Calls for one content share one request to the provider.',
    body: warmBody,
    idempotent: true,
    answers: { 200: z.union([warmAnswer, dryRunAnswer, poolWarmAnswer]), 202: z.union([warmAnswer, poolWarmAnswer]) },
  },
  'POST /render': {
    does: 'Shows the exact bytes of a prefix, its end, its size and lint findings. Nothing is stored or sent.',
    body: warmBody,
    answers: renderAnswer,
  },
  'POST /observations': {
    does: 'Reports the usage of real requests. Pilotlight counts them as renewals of their prefix.',
    body: observations,
    idempotent: true,
    answers: listOf(observedAnswer),
  },
  'POST /preload': {
    does: 'Warms a crew. The shared head is written once; the agents are warmed when it can be read. The failure of one agent does not stop others.',
    body: preloadBody,
    idempotent: true,
    answers: { 200: preloadAnswer, 202: preloadAnswer },
  },
  'GET /gateways': {
    does: 'Lists the pools of models.',
    answers: listOf(gatewayAnswer),
  },
  'GET /gateways/{name}': {
    does: 'Shows one pool of models.',
    answers: gatewayAnswer,
  },
  'PUT /gateways/{name}': {
    does: 'Creates or replaces a pool of models. Their order is the order in which traffic tries them.',
    body: gatewayBody,
    answers: { 200: gatewayAnswer, 201: gatewayAnswer },
  },
  'DELETE /gateways/{name}': {
    does: 'Deletes a pool. Prefixes that were warmed through it stay.',
    answers: deletedAnswer,
  },
  'GET /jobs/{id}': {
    does: 'Shows one job (a background warm or a crew), at once or after waiting for its end.',
    query: jobQuery,
    answers: z.union([jobAnswer, preloadAnswer]),
  },
  'GET /jobs/{id}/events': {
    does: 'Streams its progress as server-sent events until it ends.',
    answers: { 200: 'text/event-stream' },
  },
})
