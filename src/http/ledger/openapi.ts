import { ledgerAnswer } from '../../contract/ledger.ts'
import { ledgerQuery } from './routes.ts'
import { operationsOf } from '../server/openapi-operation.ts'

/** Costs and savings. */
export const ledger = operationsOf('account', {
  'GET /ledger': {
    does: 'Lists costs and savings of warming: single entries, or sums by day or by prefix.',
    query: ledgerQuery,
    answers: ledgerAnswer,
  },
  'GET /metrics': {
    does: "Shows this account's totals in the format of Prometheus.",
    answers: { 200: 'text/plain' },
  },
})
