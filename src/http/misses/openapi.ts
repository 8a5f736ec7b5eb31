import { missAnswer } from '../../contract/misses.ts'
import { listOf } from '../../contract/values.ts'
import { operationsOf } from '../server/openapi-operation.ts'
import { missesQuery } from './routes.ts'

/** Why calls through the gateway missed. */
export const misses = operationsOf('account', {
  'GET /misses': {
    does: 'Sums the misses of calls through the gateway by their cause, with what they cost.',
    query: missesQuery,
    answers: listOf(missAnswer),
  },
})
