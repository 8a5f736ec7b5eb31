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
    does: 'Lists prefixes, the newest first. A filter may leave a page short.',
    query: listQuery,
    answers: listOf(prefixAnswer),
  },
  'GET /prefixes/{id}': {
    does: 'One prefix.',
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
    does: 'Whether it is warm, with the last receipt.',
    answers: warmthAnswer,
  },
  'GET /prefixes/{id}/history': {
    does: 'What happened to it, in order.',
    query: historyQuery,
    answers: listOf(historyAnswer),
  },
  'GET /prefixes/{id}/request': {
    does: 'The body that was registered, and the one that real requests must begin with.',
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
    does: 'A barrier before a fan-out: one caller leads and writes, the others wait until the prefix can be read.',
    body: leaseBody,
    bodyOptional: true,
    answers: leaseAnswer,
  },
  'POST /prefixes/{id}/preview': {
    does: 'Costs and savings of another plan on its observed idle gaps. Nothing is changed or sent.',
    body: previewBody,
    answers: previewAnswer,
  },
  'POST /prefixes/{id}/signals': {
    does: 'Reports that the session is over, or that running work will return.',
    body: signalBody,
    idempotent: true,
    answers: prefixAnswer,
  },
  'POST /prefixes/{id}/announce': {
    does: 'Announces traffic: the prefix is kept warm for it.',
    body: announceBody,
    idempotent: true,
    answers: prefixAnswer,
  },
  'DELETE /prefixes/{id}/announce': {
    does: 'Withdraws announcements, one instant or all.',
    query: withdrawQuery,
    answers: prefixAnswer,
  },
})
