import type { Clock } from '../../runtime/clock.ts'
import type { ProbeMessage } from './records/claim.ts'
import type { ManagedCacheMessage } from './records/managed-cache.ts'

const SEND_BATCH = 100

/** Sends messages to the probe queue, a batch at a time. */
export class ProbeQueue {
  readonly #queue: Queue
  readonly #clock: Clock

  constructor(queue: Queue, clock: Clock) {
    this.#queue = queue
    this.#clock = clock
  }

  /** Sends each message, to arrive after its `delayMs`. Calls `refused` for each message that the queue did not take. */
  async send<Sent extends { delayMs: number }>(
    messages: readonly Sent[],
    bodyOf: (message: Sent) => ProbeMessage | ManagedCacheMessage,
    refused: (message: Sent) => void,
  ): Promise<void> {
    for (let first = 0; first < messages.length; first += SEND_BATCH) {
      const batch = messages.slice(first, first + SEND_BATCH)
      try {
        await this.#queue.sendBatch(
          batch.map((message) => ({
            body: bodyOf(message),
            // Rounded down: an early message costs a little, a late one costs the cache entry.
            delaySeconds: Math.floor(this.#clock.realMs(message.delayMs) / 1000),
          })),
        )
      } catch (thrown) {
        console.error('probe queue refused a batch', thrown instanceof Error ? thrown.name : 'unknown')
        for (const message of batch) refused(message)
      }
    }
  }
}
