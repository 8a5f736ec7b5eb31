import * as z from 'zod'
import { preloadAnswer } from '../../contract/answers/preload.ts'
import { listOf } from '../../contract/answers/values.ts'
import { dryRunAnswer, jobAnswer, observedAnswer, warmAnswer } from '../../contract/answers/warm.ts'
import { observations } from '../../contract/observation.ts'
import { preloadBody } from '../../contract/preload.ts'
import { warmBody } from '../../contract/warm.ts'
import { operationsOf } from './operation.ts'

/** Warming, and what is heard of it afterwards. */
export const warm = operationsOf('account', {
  'POST /warm': {
    does: 'Registers a prefix and warms it. Calls for one content share one request to the provider.',
    body: warmBody,
    idempotent: true,
    answers: { 200: z.union([warmAnswer, dryRunAnswer]), 202: warmAnswer },
  },
  'POST /observations': {
    does: 'Reports what real requests used. They renew the clock of their prefix.',
    body: observations,
    idempotent: true,
    answers: listOf(observedAnswer),
  },
  'POST /preload': {
    does: 'Warms a crew. What agents share is written once and released to the others when it is readable; a failure is its own agent’s.',
    body: preloadBody,
    idempotent: true,
    answers: { 200: preloadAnswer, 202: preloadAnswer },
  },
  'GET /jobs/{id}': {
    does: 'One job: a warm in the background, or a crew.',
    answers: z.union([jobAnswer, preloadAnswer]),
  },
  'GET /jobs/{id}/events': {
    does: 'Its progress as server-sent events, to its end.',
    answers: { 200: 'text/event-stream' },
  },
})
