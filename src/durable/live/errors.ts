import { Failure } from '../../contract/failure.ts'
import type { LiveEnd } from '../../core/conversation/lifecycle.ts'

const MAX_EVENT_BYTES = 1_000_000

/** An event's data as it is kept. Throws `payload_too_large`. */
export function eventData(given: unknown): string {
  const data = JSON.stringify(given ?? null)
  if (Buffer.byteLength(data) <= MAX_EVENT_BYTES) return data
  const detail = { limit_bytes: MAX_EVENT_BYTES }
  throw new Failure('payload_too_large', `data: an event holds at most ${MAX_EVENT_BYTES} bytes of JSON`, detail)
}

/** What whoever comes after the end is told. */
export function endedFailure(ended: { reason: LiveEnd; why: string }): Failure {
  return new Failure('conflict', `it has ended: ${ended.why}`, { reason: ended.reason })
}
