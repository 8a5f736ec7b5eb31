import type * as z from 'zod'
import type { preloadBody, crewAgentAnswer, preloadAnswer } from '../contract/preload.ts'
import { ask } from './connection.ts'
import type { CallOptions, Connection } from './connection.ts'
import { overEvents } from './responses.ts'
import type { WarmBody } from './warm.ts'

/** Warming a crew together. */

export type PreloadBody = Omit<z.input<typeof preloadBody>, 'agents' | 'background'> & { agents: WarmBody[] }
export type Preloaded = z.output<typeof preloadAnswer>
export type CrewAgent = z.output<typeof crewAgentAnswer>

export interface PreloadOptions extends CallOptions {
  /** Hears of each agent when it begins and when it ends; the head that agents share has no event of its own here. */
  onAgent?: (agent: CrewAgent) => void
}

/**
 * Warms a crew, and answers when all of it has ended. An agent that failed is in the answer and fails no other; nothing is
 * thrown for it.
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
  const heard = await overEvents<CrewAgent | Preloaded | object>(connection, `${job}/events`)
  const stop = (): void => heard.close()
  options.signal?.addEventListener('abort', stop, { once: true })
  try {
    for await (const event of heard) {
      if ('kind' in event && event.kind === 'preload') return event
      if ('index' in event) onAgent(event)
    }
  } finally {
    options.signal?.removeEventListener('abort', stop)
    heard.close()
  }
  options.signal?.throwIfAborted()
  return ask(connection, 'GET', job, options)
}
