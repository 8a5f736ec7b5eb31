import type * as z from 'zod'
import type { preloadBody, crewAgentAnswer, preloadAnswer } from '../contract/preload.ts'
import { ask } from './connection.ts'
import type { CallOptions, Connection } from './connection.ts'
import { overEvents } from './responses.ts'
import type { WarmBody } from './warm.ts'

/** Client of preloads, which warm a crew of agents together. */

export type PreloadBody = Omit<z.input<typeof preloadBody>, 'agents' | 'background'> & { agents: WarmBody[] }
export type Preloaded = z.output<typeof preloadAnswer>
export type CrewAgent = z.output<typeof crewAgentAnswer>

export interface PreloadOptions extends CallOptions {
  /** Called when an agent begins and when it ends. The head that agents share causes no call. */
  onAgent?: (agent: CrewAgent) => void
}

/**
 * Warms a crew; resolves when all agents have ended. An agent that failed is in the answer: it stops no other agent and causes no
 * throw.
 */
export async function preload(
  connection: Connection,
  body: PreloadBody,
  { onAgent, ...options }: PreloadOptions = {},
): Promise<Preloaded> {
  if (onAgent === undefined) return ask(connection, 'POST', '/preload', { ...options, body })
  const begun = await ask<Preloaded>(connection, 'POST', '/preload', {
    ...options,
    body: { ...body, background: true },
  })
  const job = `/jobs/${encodeURIComponent(begun.id)}`
  const events = await overEvents<CrewAgent | Preloaded | object>(connection, `${job}/events`)
  const stop = (): void => events.close()
  options.signal?.addEventListener('abort', stop, { once: true })
  try {
    for await (const event of events) {
      if ('kind' in event && event.kind === 'preload') return event
      if ('index' in event) onAgent(event)
    }
  } finally {
    options.signal?.removeEventListener('abort', stop)
    events.close()
  }
  options.signal?.throwIfAborted()
  return ask(connection, 'GET', job, options)
}
