import { Failure } from '../../contract/failure.ts'
import type { LiveEnd } from '../../core/conversation/lifecycle.ts'

const MAX_EVENT_BYTES = 1_000_000

/** JSON of an event's data. Throws `payload_too_large` above 1,000,000 bytes. */
export function eventData(given: unknown): string {
  const data = JSON.stringify(given ?? null)
  if (Buffer.byteLength(data) <= MAX_EVENT_BYTES) return data
  const detail = { limit_bytes: MAX_EVENT_BYTES }
  throw new Failure('payload_too_large', `data: an event holds at most ${MAX_EVENT_BYTES} bytes of JSON`, detail)
}

/** Failure for calls after the end. */
export function endedFailure(ended: { reason: LiveEnd; why: string }): Failure {
  return new Failure('conflict', `it has ended: ${ended.why}`, { reason: ended.reason })
}

/** Failure for what must not happen while an event waits or is being handled. */
export function busyFailure(): Failure {
  return new Failure('conflict', 'A turn is running. Send the request again after its end.', {
    reason: 'turn_in_flight',
  })
}
