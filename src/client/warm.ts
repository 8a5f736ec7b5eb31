import type * as z from 'zod'
import type { warmBody, jobAnswer, warmAnswer } from '../contract/warm.ts'
import { ask, connectionOf, PilotlightError } from './connection.ts'
import type { CallOptions, ClientOptions, Connection } from './connection.ts'

/** Warming prefixes from a program. It depends on nothing but `fetch`. */

export { PilotlightError } from './connection.ts'
export type { CallOptions, ClientOptions, Connection } from './connection.ts'

/** `request` may be the object itself: it is sent as it is written here, and its bytes are kept from then on. */
export type WarmBody = Omit<z.input<typeof warmBody>, 'request'> & { request?: unknown }
export type Warmed = z.output<typeof warmAnswer>
export type Job = z.output<typeof jobAnswer>

/** Where a deployment is, and who asks: the first argument of everything else. Asks nothing. */
export function connect(options: ClientOptions): Connection {
  return connectionOf(options)
}

/** Registers a prefix, and warms it unless it is warm. With `background`, answers as soon as it is registered, with a `job`. */
export function warmup(connection: Connection, body: WarmBody, options: CallOptions = {}): Promise<Warmed> {
  return ask(connection, 'POST', '/warm', { ...options, body })
}

/** Waits for a background job to end. A job that failed is answered, not thrown: it says why. */
export async function finished(connection: Connection, jobId: string, options: CallOptions = {}): Promise<Job> {
  const path = `/jobs/${encodeURIComponent(jobId)}`
  for (let waitMs = 200; ; waitMs = Math.min(5_000, waitMs * 1.5)) {
    const job = await ask<Job>(connection, 'GET', path, options)
    if (job.status !== 'queued' && job.status !== 'running') return job
    await new Promise((resolve) => setTimeout(resolve, waitMs))
    options.signal?.throwIfAborted()
  }
}

/** Whether a failure is of this kind, for callers who treat some of them apart. */
export function isKind(thrown: unknown, kind: PilotlightError['kind']): thrown is PilotlightError {
  return thrown instanceof PilotlightError && thrown.kind === kind
}
