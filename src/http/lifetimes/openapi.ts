import { lifetimeAnswer } from '../../contract/lifetimes.ts'
import { listOf } from '../../contract/values.ts'
import { operationsOf } from '../server/openapi-operation.ts'
import { lifetimesQuery } from './routes.ts'

/** How long entries last. */
export const lifetimes = operationsOf('account', {
  'GET /lifetimes': {
    does: "Lists how long entries stayed readable in this account's own traffic, by model, retention and size.",
    query: lifetimesQuery,
    answers: listOf(lifetimeAnswer),
  },
})
