import type * as z from 'zod'
import type { observation } from '../contract/observation.ts'
import { ask } from './connection.ts'
import type { Connection } from './connection.ts'

/** One observation on its way. `request` is text, which is put into the report as it is: its bytes are what is fingerprinted. */
export type Observation = Omit<z.input<typeof observation>, 'request'> & { request?: { json: string } | undefined }

/** Reports of one call. */
const AT_ONCE = 100
/** Bytes of one call: what the deployment takes at the most is more. */
const BYTES_AT_ONCE = 4 * 1024 * 1024
/** What waits at the most while the deployment cannot be reached; then the oldest go. */
const WAITING = 1_000
const WAITING_BYTES = 32 * 1024 * 1024
const AFTER_MS = 1_000

interface Waiting {
  text: string
}

/** Reports that wait, and are sent together. */
export class Reports {
  readonly #connection: Connection
  readonly #onError: ((error: unknown) => void) | undefined
  readonly #waitUntil: ((work: Promise<unknown>) => void) | undefined
  #waiting: Waiting[] = []
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

  add({ request, ...rest }: Observation): void {
    const plain = JSON.stringify(rest)
    const text = request === undefined ? plain : `${plain.slice(0, -1)},"request":${request.json}}`
    this.#waiting.push({ text })
    this.#bytes += text.length
    while (this.#waiting.length > WAITING || (this.#bytes > WAITING_BYTES && this.#waiting.length > 1)) {
      this.#bytes -= this.#waiting.shift()?.text.length ?? 0
      this.#onError?.(new Error('too many reports wait to be sent: the oldest was dropped'))
    }
    if (this.#timer !== null) return
    this.#timer = later(AFTER_MS).then(() => this.flush())
    this.#waitUntil?.(this.#timer)
  }

  /** One call after the other: reports keep their order. */
  flush(): Promise<void> {
    this.#timer = null
    this.#sending = this.#sending.then(() => this.#send())
    return this.#sending
  }

  async #send(): Promise<void> {
    while (this.#waiting.length > 0) {
      const some: string[] = []
      let bytes = 0
      for (const { text } of this.#waiting) {
        if (some.length === AT_ONCE || (some.length > 0 && bytes + text.length > BYTES_AT_ONCE)) break
        some.push(text)
        bytes += text.length
      }
      this.#waiting.splice(0, some.length)
      this.#bytes -= bytes
      try {
        await ask(this.#connection, 'POST', '/observations', { text: `[${some.join(',')}]` })
      } catch (thrown) {
        this.#onError?.(thrown)
      }
    }
  }
}

/** Keeps no process alive that has nothing else to do. */
function later(ms: number): Promise<void> {
  return new Promise((resolve) => {
    const timer: unknown = setTimeout(resolve, ms)
    if (typeof timer === 'object' && timer !== null && 'unref' in timer) (timer as { unref(): void }).unref()
  })
}
