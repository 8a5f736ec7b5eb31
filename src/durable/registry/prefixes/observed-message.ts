import type { Arrival } from '../../../core/events/arrived.ts'

/** What a message of the queue of observations says of one account. `message`: its number. */
export interface ObservedMessage {
  message: string
  observed: { id: string; arrivals: Arrival[] }[]
}

/** The arrivals of those messages that are among `fresh`, by prefix. A message counts once, however often it is given. */
export function arrivalsOf(
  given: readonly ObservedMessage[],
  fresh: Set<string>,
): { id: string; arrivals: Arrival[] }[] {
  const arrivals = new Map<string, Arrival[]>()
  for (const { message, observed } of given) {
    if (!fresh.delete(message)) continue
    for (const { id, arrivals: more } of observed) {
      const all = arrivals.get(id)
      if (all === undefined) arrivals.set(id, [...more])
      else all.push(...more)
    }
  }
  return [...arrivals].map(([id, all]) => ({ id, arrivals: all }))
}
