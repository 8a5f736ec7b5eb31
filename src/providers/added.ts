import type { Card } from './card.ts'

/** What an administrator says of a provider that this version has no card of. */
export interface AddedProvider {
  /** Id of the card whose wire format and facts it shares. */
  like: string
  /** Absent: the id. */
  name?: string
}

/**
 * The card of an administrator's provider: the wire format, the models and the facts of the card that it is like. Its address comes
 * from the override alone. Its secret is its own, so that no vendor's key reaches a host that an administrator typed in. What is
 * true of that vendor alone stays behind: other names, refusals, managed caches and service accounts.
 */
export function cardLike(base: Card, id: string, { like, name = id }: AddedProvider): Card {
  const { auth, headers, callerHeaders, dialect, wire, tools, streams, renewsAllMarkers } = base
  const { answerTimeoutMs, models, facts, source, checked } = base
  return {
    id,
    name,
    like,
    baseUrl: '',
    auth,
    headers,
    dialect,
    secret: secretOf(id),
    models,
    facts,
    source,
    checked,
    ...(callerHeaders === undefined ? {} : { callerHeaders }),
    ...(wire === undefined ? {} : { wire }),
    ...(tools === undefined ? {} : { tools }),
    ...(streams === undefined ? {} : { streams }),
    ...(renewsAllMarkers === undefined ? {} : { renewsAllMarkers }),
    ...(answerTimeoutMs === undefined ? {} : { answerTimeoutMs }),
  }
}

/** Name of the Worker secret of an added provider: `our-gpu` has `OUR_GPU_API_KEY`. */
export function secretOf(id: string): string {
  return `${id.toUpperCase().replaceAll('-', '_')}_API_KEY`
}
