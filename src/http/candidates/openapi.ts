import { candidatesAnswer, registerCandidateAnswer, registerCandidateBody } from '../../contract/candidate.ts'
import { deletedAnswer } from '../../contract/values.ts'
import { operationsOf } from '../server/openapi-operation.ts'
import { candidatesQuery } from './routes.ts'

/** What recurs in calls through the gateway. */
export const candidates = operationsOf('account', {
  'GET /candidates': {
    does: 'Lists what recurs in calls through the gateway and is not registered, by keyed hashes, and whether it is worth registering.',
    query: candidatesQuery,
    answers: candidatesAnswer,
  },
  'POST /candidates/{id}/register': {
    does: 'Has the next call that begins with it registered. Nothing of its content is stored before.',
    body: registerCandidateBody,
    bodyOptional: true,
    idempotent: true,
    answers: { 202: registerCandidateAnswer },
  },
  'DELETE /candidates/{id}': {
    does: 'Forgets a candidate, and takes back that its next call is to be registered. It is counted anew with its next call.',
    answers: deletedAnswer,
  },
})
