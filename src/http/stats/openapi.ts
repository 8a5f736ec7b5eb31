import { statsAnswer } from '../../contract/stats.ts'
import { operationsOf } from '../server/openapi-operation.ts'
import { statsQuery } from './routes.ts'

/** Hit rates. */
export const stats = operationsOf('account', {
  'GET /stats': {
    does: 'Sums what real requests read of the cache, by request and by token: by hour, day, name, version, provider and model.',
    query: statsQuery,
    answers: statsAnswer,
  },
})
