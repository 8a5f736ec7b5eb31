import { FAILURES, failureValue, readFailure } from '../../contract/failure.ts'
import type { FailureValue } from '../../contract/failure.ts'
import type { Call } from './context.ts'

/** The body of every error. */
export interface ErrorBody {
  error: {
    kind: FailureValue['kind']
    message: string
    retryable: boolean
    request_id: string
    detail?: FailureValue['detail']
  }
}

export function errorBody(failure: FailureValue, requestId: string): ErrorBody {
  const { kind, message, detail } = failure
  const error = { kind, message, retryable: FAILURES[kind].retryable, request_id: requestId }
  return { error: detail === undefined ? error : { ...error, detail } }
}

/** Headers of the answer to a failure: how to authenticate, and when to come again. */
export function failureHeaders({ kind, detail }: FailureValue): Record<string, string> {
  const wait = detail?.['retry_after_seconds']
  return {
    ...(FAILURES[kind].status === 401 ? { 'www-authenticate': 'Bearer realm="pilotlight"' } : {}),
    ...(typeof wait === 'number' ? { 'retry-after': String(Math.max(1, Math.ceil(wait))) } : {}),
  }
}

export function answerFailure(c: Call, failure: FailureValue): Response {
  for (const [name, value] of Object.entries(failureHeaders(failure))) c.header(name, value)
  return c.json(errorBody(failure, c.var.requestId ?? ''), FAILURES[failure.kind].status)
}

/** Answers anything that was thrown. An error that is no `Failure` becomes `internal`; its text is neither shown nor logged, because it may quote a prompt. */
export function answerThrown(c: Call, thrown: unknown): Response {
  const failure = readFailure(thrown)
  if (failure !== null) return answerFailure(c, failure)
  console.error('request failed', thrown instanceof Error ? thrown.name : typeof thrown)
  return answerFailure(c, failureValue('internal', 'An internal error occurred. The same call can be sent again.'))
}
