import { diagnoseBody, diagnosisAnswer } from '../../contract/diagnosis.ts'
import { operationsOf } from '../server/openapi-operation.ts'

/** Why requests miss. */
export const diagnosis = operationsOf('account', {
  'POST /diagnose': {
    does: 'Says why one request did not read what an earlier one had left in the cache. Nothing is stored or sent.',
    body: diagnoseBody,
    answers: diagnosisAnswer,
  },
})
