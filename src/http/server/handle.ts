import { cacheValue } from '../../contract/cache.ts'
import type { CacheInput } from '../../contract/cache.ts'
import { Failure, invalid } from '../../contract/failure.ts'
import type { ManagedCacheView } from '../../durable/registry/records/managed-cache.ts'
import type { Card } from '../../providers/card.ts'
import { registryOf } from './context.ts'
import type { Call } from './context.ts'

/** A handle that a request names, and the field that names it. */
export interface WantedHandle {
  name: string
  at: string
}

/** The handle that a cache request names; null: none. */
export function wantedHandle(cache: CacheInput | undefined): WantedHandle | null {
  if (cache === undefined) return null
  const { strategy } = cacheValue(cache)
  if (typeof strategy !== 'object' || !('handle' in strategy)) return null
  return { name: strategy.handle, at: strategy.at ?? 'cache.strategy.handle' }
}

/** A cache request without its handle: with the automatic strategy. */
export function withoutHandle(cache: CacheInput | undefined): CacheInput | undefined {
  if (wantedHandle(cache) === null || typeof cache !== 'object') return cache
  const { handle: _, strategy: __, ...rest } = cache
  return rest
}

/**
 * The account's managed cache that a handle names, also by a former handle or by its id. Throws `not_found` for a handle that is not
 * the account's, whether it exists or not, and `invalid_request` where it belongs to another provider, model, credential or region.
 */
export async function managedCacheNamed(
  c: Call,
  card: Card,
  { name, at }: WantedHandle,
  given: { model?: string | undefined; credential?: string | undefined; region?: string | undefined },
): Promise<ManagedCacheView> {
  const view = await registryOf(c).handleNamed(name)
  if (view === null) {
    const text =
      `${at}: this account has no managed cache with this handle. Pilotlight keeps only those that it created (POST /caches): ` +
      'it does not know what others contain and could not create them again. Nothing was stored or sent.'
    throw new Failure('not_found', text, { field: at })
  }
  const { provider, model, credential, region } = view.record
  if (provider !== card.id) throw invalid(at, `belongs to ${provider}`)
  if (given.model !== undefined && given.model.replace(/^models\//, '') !== model) {
    throw invalid('model', `must be ${model}, the model of the handle`)
  }
  if (given.credential !== undefined && given.credential !== credential) {
    throw invalid('credential', `must be ${credential}, which created the handle`)
  }
  if (given.region !== undefined && given.region !== region) {
    throw invalid(
      'region',
      region === undefined
        ? 'must be absent, because the handle has none'
        : `must be ${region}, where the handle exists`,
    )
  }
  return view
}

/** Refuses a warm of a handle as a job: it is one call about the handle, which calls no model, and there is no prefix to wait for. */
export function refuseBackground({ background }: { background?: boolean | undefined }): void {
  if (background !== true) return
  const text =
    'background: a handle is renewed by one short call that reaches no model, so there is no job to wait for. Leave background out: between warms Pilotlight renews the handle by itself.'
  throw new Failure('unsupported', text, { field: 'background' })
}
