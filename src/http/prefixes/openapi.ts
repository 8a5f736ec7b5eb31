import { diagnosisAnswer, prefixDiagnoseBody } from '../../contract/diagnosis.ts'
import { historyAnswer } from '../../contract/history.ts'
import { leaseAnswer, prefixAnswer, requestAnswer, warmthAnswer, previewAnswer } from '../../contract/prefix.ts'
import { deletedAnswer, listOf } from '../../contract/values.ts'
import { announceBody, signalBody, withdrawQuery } from '../../contract/signal.ts'
import { leaseBody } from '../../contract/lease.ts'
import { prefixChange, previewBody, warmAgainBody, warmAnswer } from '../../contract/warm.ts'
import { historyQuery } from './history.ts'
import { listQuery } from './routes.ts'
import { operationsOf } from '../server/openapi-operation.ts'

/** The routes below /prefixes. */
export const prefixes = operationsOf('account', {
  'GET /prefixes': {
    does: 'Lists prefixes, newest first. With a filter, a page may hold fewer entries than `limit`.',
    query: listQuery,
    answers: listOf(prefixAnswer),
  },
  'GET /prefixes/{id}': {
    does: 'Shows one prefix.',
    answers: prefixAnswer,
  },
  'PATCH /prefixes/{id}': {
    does: 'Changes its name or parts of its plan.',
    body: prefixChange,
    answers: prefixAnswer,
  },
  'DELETE /prefixes/{id}': {
    does: 'Stops its plan and deletes it.',
    answers: deletedAnswer,
  },
  'GET /prefixes/{id}/warmth': {
    does: 'Shows whether it is warm, with the last receipt.',
    answers: warmthAnswer,
  },
  'GET /prefixes/{id}/history': {
    does: 'Lists its history in order.',
    query: historyQuery,
    answers: listOf(historyAnswer),
  },
  'GET /prefixes/{id}/request': {
    does: 'Shows the registered body, and the body that real requests must begin with.',
    answers: requestAnswer,
  },
  'POST /prefixes/{id}/warm': {
    does: 'Warms it now.',
    body: warmAgainBody,
    bodyOptional: true,
    idempotent: true,
    answers: { 200: warmAnswer, 202: warmAnswer },
  },
  'POST /prefixes/{id}/lease': {
    does: 'Coordinates a fan-out: one caller leads and writes the prefix, the others wait until it can be read.',
    body: leaseBody,
    bodyOptional: true,
    answers: leaseAnswer,
  },
  'POST /prefixes/{id}/preview': {
    does: 'Computes costs and savings of another plan on its observed idle gaps. Nothing is changed or sent.',
    body: previewBody,
    answers: previewAnswer,
  },
  'POST /prefixes/{id}/diagnose': {
    does: 'Says why a request did not read this prefix. Nothing is stored or sent.',
    body: prefixDiagnoseBody,
    answers: diagnosisAnswer,
  },
  'POST /prefixes/{id}/signals': {
    does: 'Reports that the session is over, or that work is running and a request will follow.',
    body: signalBody,
    idempotent: true,
    answers: prefixAnswer,
  },
  'POST /prefixes/{id}/announce': {
    does: 'Announces traffic. Pilotlight has the prefix warm when the traffic starts.',
    body: announceBody,
    idempotent: true,
    answers: prefixAnswer,
  },
  'DELETE /prefixes/{id}/announce': {
    does: 'Withdraws the announcements for one instant, or all.',
    query: withdrawQuery,
    answers: prefixAnswer,
  },
})
