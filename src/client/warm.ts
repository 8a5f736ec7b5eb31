import type * as z from 'zod'
import type { warmthAnswer } from '../contract/prefix.ts'
import type { warmBody, jobAnswer, warmAnswer } from '../contract/warm.ts'
import { ask, connectionOf, PilotlightError } from './connection.ts'
import type { CallOptions, ClientOptions, Connection } from './connection.ts'

/** Client of warms. It needs only `fetch`. */

export { PilotlightError } from './connection.ts'
export type { CallOptions, ClientOptions, Connection } from './connection.ts'

/** Body of a warm. `request` may be an object: it is serialised once, and the deployment keeps those bytes. */
export type WarmBody = Omit<z.input<typeof warmBody>, 'request'> & { request?: unknown }
export type Warmed = z.output<typeof warmAnswer>
export type Warmth = z.output<typeof warmthAnswer>
export type Job = z.output<typeof jobAnswer>

/** Makes a connection, the first argument of the other functions. Sends no request. */
export function connect(options: ClientOptions): Connection {
  return connectionOf(options)
}

/** Registers a prefix and warms it if it is not warm. With `background` it resolves after the registration, with a `job`. */
export function warmup(connection: Connection, body: WarmBody, options: CallOptions = {}): Promise<Warmed> {
  return ask(connection, 'POST', '/warm', { ...options, body })
}

/**
 * Whether a prefix is warm, and what it costs in the next request: `next_request.rewrite_usd` is what a change of it costs more, near 0 while it
 * is cold. An agent compacts its history then, and not while it is warm.
 */
export function warmthOf(connection: Connection, prefixId: string, options: CallOptions = {}): Promise<Warmth> {
  return ask(connection, 'GET', `/prefixes/${encodeURIComponent(prefixId)}/warmth`, options)
}

/** Waits for the end of a background job. A failed job is returned with its reason, not thrown. */
export async function finished(connection: Connection, jobId: string, options: CallOptions = {}): Promise<Job> {
  const path = `/jobs/${encodeURIComponent(jobId)}`
  for (let waitMs = 200; ; waitMs = Math.min(5_000, waitMs * 1.5)) {
    const job = await ask<Job>(connection, 'GET', path, options)
    if (job.status !== 'queued' && job.status !== 'running') return job
    await new Promise((resolve) => setTimeout(resolve, waitMs))
    options.signal?.throwIfAborted()
  }
}

/** True if a thrown value is a `PilotlightError` of this kind. */
export function isKind(thrown: unknown, kind: PilotlightError['kind']): thrown is PilotlightError {
  return thrown instanceof PilotlightError && thrown.kind === kind
}
