import * as z from 'zod'
import { listOf } from '../../contract/answers/values.ts'
import { dryRunAnswer, jobAnswer, observedAnswer, renderAnswer, warmAnswer } from '../../contract/answers/warm.ts'
import { observations } from '../../contract/observation.ts'
import { warmBody } from '../../contract/warm.ts'
import { jobQuery } from '../jobs.ts'
import { operationsOf } from './operation.ts'

/** Warming, and what is heard of it afterwards. */
export const warm = operationsOf('account', {
  'POST /warm': {
    does: 'Registers a prefix and warms it. Calls for one content share one request to the provider.',
    body: warmBody,
    idempotent: true,
    answers: { 200: z.union([warmAnswer, dryRunAnswer]), 202: warmAnswer },
  },
  'POST /render': {
    does: 'Shows the exact bytes of a prefix, where it ends, its size, and what lint finds. Nothing is stored or sent.',
    body: warmBody,
    answers: renderAnswer,
  },
  'POST /observations': {
    does: 'Reports what real requests used. They renew the clock of their prefix.',
    body: observations,
    idempotent: true,
    answers: listOf(observedAnswer),
  },
  'GET /jobs/{id}': {
    does: 'One job in the background, at once or when it has ended.',
    query: jobQuery,
    answers: jobAnswer,
  },
})
