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

export function answerFailure(c: Call, failure: FailureValue): Response {
  const { status } = FAILURES[failure.kind]
  if (status === 401) c.header('www-authenticate', 'Bearer realm="pilotlight"')
  const wait = failure.detail?.['retry_after_seconds']
  if (typeof wait === 'number') c.header('retry-after', String(Math.max(1, Math.ceil(wait))))
  return c.json(errorBody(failure, c.var.requestId ?? ''), status)
}

/** Answers anything that was thrown. An error that is no `Failure` becomes `internal`; its text is neither shown nor logged, because it may quote a prompt. */
export function answerThrown(c: Call, thrown: unknown): Response {
  const failure = readFailure(thrown)
  if (failure !== null) return answerFailure(c, failure)
  console.error('request failed', thrown instanceof Error ? thrown.name : typeof thrown)
  return answerFailure(c, failureValue('internal', 'An internal error occurred. The same call can be sent again.'))
}
