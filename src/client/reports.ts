import type * as z from 'zod'
import type { observation } from '../contract/observation.ts'
import { ask } from './connection.ts'
import type { Connection } from './connection.ts'

/** One observation to report. `request` is JSON text that goes into the report unchanged, because its bytes are fingerprinted. */
export type Observation = Omit<z.input<typeof observation>, 'request'> & { request?: { json: string } | undefined }

/** Most reports of one call. */
const MAX_BATCH = 100
/** Most bytes of one call, below the limit of the deployment. */
const MAX_BATCH_BYTES = 4 * 1024 * 1024
/** Most reports and bytes that wait while the deployment is unreachable. Beyond that the oldest report is dropped. */
const MAX_WAITING = 1_000
const MAX_WAITING_BYTES = 32 * 1024 * 1024
/** Prefixes whose session can end with a process. */
const MOST_MATCHED = 16
/** Time after the first waiting report until they are sent. */
const SEND_AFTER_MS = 1_000

interface Waiting {
  text: string
}

/** Queue of reports, which are sent in batches. */
export class Reports {
  readonly #connection: Connection
  readonly #onError: ((error: unknown) => void) | undefined
  readonly #waitUntil: ((work: Promise<unknown>) => void) | undefined
  #waiting: Waiting[] = []
  readonly #matched = new Set<string>()
  #bytes = 0
  #timer: Promise<void> | null = null
  #sending: Promise<void> = Promise.resolve()

  constructor(
    connection: Connection,
    { onError, waitUntil }: { onError?: (error: unknown) => void; waitUntil?: (work: Promise<unknown>) => void },
  ) {
    this.#connection = connection
    this.#onError = onError
    this.#waitUntil = waitUntil
  }

  /** The prefixes that the latest reports belong to, by the deployment's answers. */
  get matched(): string[] {
    return [...this.#matched]
  }

  add({ request, ...rest }: Observation): void {
    const plain = JSON.stringify(rest)
    const text = request === undefined ? plain : `${plain.slice(0, -1)},"request":${request.json}}`
    this.#waiting.push({ text })
    this.#bytes += text.length
    while (this.#waiting.length > MAX_WAITING || (this.#bytes > MAX_WAITING_BYTES && this.#waiting.length > 1)) {
      this.#bytes -= this.#waiting.shift()?.text.length ?? 0
      this.#onError?.(new Error('too many reports are waiting; the oldest was dropped'))
    }
    if (this.#timer !== null) return
    this.#timer = later(SEND_AFTER_MS).then(() => this.flush())
    this.#waitUntil?.(this.#timer)
  }

  /** Sends all waiting reports, one call after the other, so that they keep their order. `signal` ends the calls. */
  flush(signal?: AbortSignal): Promise<void> {
    this.#timer = null
    this.#sending = this.#sending.then(() => this.#send(signal))
    return this.#sending
  }

  #remember(data: Answered['data']): void {
    for (const { prefix_id: id, matched } of data ?? []) {
      if (typeof id !== 'string' || matched !== true) continue
      this.#matched.delete(id)
      this.#matched.add(id)
      const oldest = this.#matched.size > MOST_MATCHED ? this.#matched.values().next().value : undefined
      if (oldest !== undefined) this.#matched.delete(oldest)
    }
  }

  async #send(signal?: AbortSignal): Promise<void> {
    while (this.#waiting.length > 0) {
      if (signal?.aborted === true) return
      const some: string[] = []
      let bytes = 0
      for (const { text } of this.#waiting) {
        if (some.length === MAX_BATCH || (some.length > 0 && bytes + text.length > MAX_BATCH_BYTES)) break
        some.push(text)
        bytes += text.length
      }
      this.#waiting.splice(0, some.length)
      this.#bytes -= bytes
      try {
        const text = `[${some.join(',')}]`
        const answer = await ask<Answered>(this.#connection, 'POST', '/observations', {
          text,
          ...(signal === undefined ? {} : { signal }),
        })
        this.#remember(answer.data)
      } catch (thrown) {
        this.#onError?.(thrown)
      }
    }
  }
}

/** What of the answer of `POST /observations` is read. */
interface Answered {
  data?: { prefix_id?: string | null; matched?: boolean }[]
}

/** Waits without keeping a process alive that has nothing else to do. */
function later(ms: number): Promise<void> {
  return new Promise((resolve) => {
    const timer: unknown = setTimeout(resolve, ms)
    if (typeof timer === 'object' && timer !== null && 'unref' in timer) (timer as { unref(): void }).unref()
  })
}
