import { Agent, request } from 'node:http'
import type { Target } from './targets.ts'

/** What a caller saw of one call, in milliseconds since it was sent. */
export interface Timing {
  /** First piece of the body of the answer. */
  firstMs: number
  /** Its end. */
  wholeMs: number
}

/** Sends calls over connections that stay open, one caller for each target. */
export class Caller {
  readonly target: Target
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 2_000 })

  constructor(target: Target) {
    this.target = target
  }

  /** Sends one call and reads its answer to the end. Throws where that is not a whole one. */
  send(body: string): Promise<Timing> {
    const { url, headers, name } = this.target
    return new Promise((resolve, reject) => {
      const from = performance.now()
      const sent = request(
        url,
        {
          method: 'POST',
          agent: this.#agent,
          headers: {
            ...headers,
            'content-type': 'application/json',
            accept: 'application/json, text/event-stream',
            'content-length': Buffer.byteLength(body),
          },
        },
        (answer) => {
          let firstMs = 0
          let last = ''
          answer.on('data', (piece: Buffer) => {
            if (firstMs === 0) firstMs = performance.now() - from
            last = (last + piece.toString('latin1')).slice(-64)
          })
          answer.on('error', reject)
          answer.on('end', () => {
            const isWhole = answer.statusCode === 200 && /(?:\}|\[DONE\])\s*$/.test(last)
            if (isWhole) resolve({ firstMs, wholeMs: performance.now() - from })
            else reject(new Error(`${name} answered ${answer.statusCode}, and its body ended with: ${last}`))
          })
        },
      )
      sent.on('error', reject)
      sent.end(body)
    })
  }

  close(): void {
    this.#agent.destroy()
  }
}
