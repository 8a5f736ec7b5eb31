import { litellmBody, toldAnswer, tracesAnswer, tracesBody } from '../../contract/told.ts'
import { operationsOf } from '../server/openapi-operation.ts'

/** What other programs tell of calls that do not pass here. */
export const reports = operationsOf('account', {
  'POST /v1/traces': {
    does: 'Takes spans of model calls in OTLP/JSON, also packed with gzip, and counts what they read of the cache.',
    body: tracesBody,
    answers: tracesAnswer,
  },
  'POST /observations/litellm': {
    does: 'Takes what the callback generic_api of LiteLLM posts, in any of its formats, and counts what the calls read of the cache.',
    body: litellmBody,
    answers: toldAnswer,
  },
})
