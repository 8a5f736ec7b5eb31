import { Failure, failureValue } from '../../contract/failure.ts'
import { stringOf } from '../dialects/shared/answer.ts'
import { geminiContent } from '../dialects/gemini-content/dialect.ts'
import { cachedContents, parsedOrNull, smallness } from './gemini.ts'
import { fields } from '../dialects/shared/usage.ts'
import type { ManagedCacheError } from './dialect.ts'

/**
 * Vertex's `cachedContents`: Gemini's bodies, in a collection of the project and location instead of the publisher. The shapes of names
 * and of a 404 come from public issue threads (read 2026-11-21), not from a live answer of Vertex. Storage is counted at the Gemini API's
 * prices, as the card's tokens are: Google's price page for Vertex was not read.
 *
 * A cache's name has the number of the project, while the address usually has its id. Only the last part of the name goes into a path, so
 * a cache is always looked up in the configured project and location.
 */
export const vertexManagedCaches = cachedContents({
  collection: '/cachedContents',
  baseOf: (baseUrl) => placeOf(baseUrl).base,
  name: /^projects\/[A-Za-z0-9:._-]{1,100}\/locations\/[a-z0-9-]{1,60}\/cachedContents\/([A-Za-z0-9_-]{1,200})$/,
  modelName: (model, baseUrl) => `${placeOf(baseUrl).place}/publishers/google/models/${model}`,
  readError,
})

/** The project and location in the card's address. Throws `not_configured`. */
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
 * A cache that is gone is a 404 here. A 400 that says it expired means the same. A 403 that names `cachedContents` is a missing permission:
 * read as a lost cache, it would be created again and again. The wording of the last two is assumed: no source that we read shows it.
 */
function readError(status: number, headers: Headers, text: string): ManagedCacheError {
  const message = stringOf(fields(fields(parsedOrNull(text))?.['error'])?.['message']) ?? ''
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
