import { Failure, failureValue } from '../../contract/failure.ts'
import { stringOf } from '../dialects/shared/answer.ts'
import { geminiContent } from '../dialects/gemini-content/dialect.ts'
import { cachedContents, safely, smallness } from './gemini.ts'
import { fields } from '../dialects/shared/usage.ts'
import type { ManagedCacheError } from './dialect.ts'

/**
 * Vertex's `cachedContents`: Gemini's bodies, but a collection of the project and the location, not of the publisher whose models
 * the card calls. The shapes of names and of a 404 come from public issue threads (read 2026-11-21), not from a live answer of
 * Vertex. Storage is counted at the Gemini API's prices, as the card's tokens are: Google's price page for Vertex was not read.
 *
 * A name says the project by its number, the address mostly by its id. Only the last part is taken into a path, so that a handle is
 * always looked for in the project and location that we are configured for.
 */
export const vertexManagedCaches = cachedContents({
  collection: '/cachedContents',
  baseOf: (baseUrl) => placeOf(baseUrl).base,
  name: /^projects\/[A-Za-z0-9:._-]{1,100}\/locations\/[a-z0-9-]{1,60}\/cachedContents\/([A-Za-z0-9_-]{1,200})$/,
  modelName: (model, baseUrl) => `${placeOf(baseUrl).place}/publishers/google/models/${model}`,
  readError,
})

/** The project and location that an address of the card names. */
function placeOf(baseUrl: string): { base: string; place: string } {
  const [, base, place] = /^(.*\/(projects\/[^/]+\/locations\/[^/]+))\/publishers\/google\/?$/.exec(baseUrl) ?? []
  if (base === undefined || place === undefined) {
    throw new Failure(
      'not_configured',
      'Managed caches of Vertex need its address to end in projects/…/locations/…/publishers/google.',
    )
  }
  return { base, place }
}

const contents = geminiContent.create(geminiContent.wire)

/**
 * A handle that is gone is a 404 here; a 400 that calls it expired is taken for the same, and a 403 that names `cachedContents`
 * for a missing permission, since taken for a lost handle it would be made anew for ever. The wording of these two is assumed:
 * no source that we could read shows it.
 */
function readError(status: number, headers: Headers, text: string): ManagedCacheError {
  const message = stringOf(fields(fields(safely(text))?.['error'])?.['message']) ?? ''
  if (status === 403 && /cached ?content/i.test(message)) {
    const failure = failureValue(
      'provider_key_refused',
      'The credential may not use the managed caches of this project.',
      {
        status,
      },
    )
    return { failure, retryAfterMs: null, primitiveRefused: false, permanent: true, gone: false }
  }
  const reading = contents.readError(status, headers, text)
  const tooSmall = status === 400 ? smallness(text) : null
  if (tooSmall !== null) return { ...reading, failure: tooSmall, permanent: true, gone: false }
  const gone =
    (status === 404 && /cached ?content|requested entity/i.test(message)) ||
    (status === 400 && /cached? ?content\b.*\bexpired/i.test(message))
  return { ...reading, gone }
}
