import * as z from 'zod'
import { cacheChange, cacheCreation, goneReport } from '../../contract/caches.ts'
import { Failure, invalid, readFailure } from '../../contract/failure.ts'
import { duration } from '../../contract/scalars.ts'
import { fingerprint } from '../../core/prompt/fingerprint.ts'
import type { ManagedCacheKeep } from '../../core/managed-cache/state.ts'
import type {
  ManagedCacheFlight,
  ManagedCacheView,
  ManagedCacheWish,
} from '../../durable/registry/records/managed-cache.ts'
import { withoutManagedCaches } from '../../providers/managed-cache/unsupported.ts'
import type { Card } from '../../providers/card.ts'
import { runManagedCacheLease, runManagedCacheToEnd } from '../../calls/managed-cache.ts'
import { pack } from '../../runtime/bytes.ts'
import { account } from '../server/auth.ts'
import { readBody } from '../server/read-body.ts'
import { clockOf, keepAlive, registryOf, router } from '../server/context.ts'
import type { Call } from '../server/context.ts'
import { decodeCursor, encodeCursor } from '../server/cursor.ts'
import { idempotent } from '../server/idempotency.ts'
import { cacheHistoryJson, cacheJson } from '../present/managed-cache.ts'
import { cursor, limit, readQuery } from '../server/query.ts'
import { credentialsNamed, refuseUnsendable } from '../server/credential.ts'
import { FOREGROUND_MS } from '../server/long-poll.ts'
import type { ManagedCacheDialect } from '../../providers/managed-cache/dialect.ts'
import { MAX_PREFIX_BYTES, tooLargeFailure } from '../../registration/json-body.ts'
import { useOf } from '../../registration/credential-use.ts'
import { cardFor } from '../../registration/native.ts'
import { DAY_MS } from '../../core/time/time.ts'

const provider = z.string().max(64).optional().meta({ description: 'A provider id.' })

export const cachesQuery = z.strictObject({ provider, cursor, limit: limit(50, 200) })
export const cacheHistoryQuery = z.strictObject({ cursor, limit: limit(200, 1_000) })
export const ofProvider = z.strictObject({ provider })
export const cacheQuery = z.strictObject({
  provider,
  max_age: duration.optional().meta({
    description:
      'Largest accepted age of the last confirmation by the provider. Absent: Pilotlight asks the provider now.',
  }),
})

const SHORTEST_TTL_MS = 60_000
const LONGEST_TTL_MS = 7 * DAY_MS
const ASK_AGAIN_MS = 250

/** The contents keep their exact text. */
const raw = (path: readonly (string | number)[]): boolean => path.length === 1 && path[0] === 'request'

export const caches = router()
  .get('/caches', account, async (c) => {
    const query = readQuery(c, cachesQuery)
    const from = decodeCursor(query.cursor, z.strictObject({ k: z.int().min(0) }))
    if (query.provider !== undefined && cardFor(query.provider, 'provider').managedCaches === undefined)
      return c.json({ data: [], next_cursor: null })
    const page = await registryOf(c).handleList(query.provider ?? null, from?.k ?? null, query.limit)
    return c.json({
      data: page.views.map((view) => cacheJson(view)),
      next_cursor: page.cursor === null ? null : encodeCursor({ k: page.cursor }),
    })
  })
  .post('/caches', account, idempotent, async (c) => {
    const given = await readBody(c, cacheCreation, { raw })
    const card = cardFor(given.provider, 'provider')
    const dialect = supported(card)
    if (given.request === undefined) throw invalid('request', 'is missing; give the contents to store')
    const prepared = dialect.prepare(given.request.text, given.model)
    const bytes = Buffer.byteLength(prepared.text)
    if (bytes > MAX_PREFIX_BYTES) throw tooLargeFailure('The contents', MAX_PREFIX_BYTES, 'request')
    const ttlMs = ttlFrom(given.ttl)
    const keep = keepFrom(given.keep, clockOf(c).now())
    const known = await credentialsNamed(c, [given.credential])
    const use = useOf(given.credential, known)
    await refuseUnsendable(c, card, known.get(use.name))
    const contents = fingerprint({
      provider: card.id,
      model: prepared.model,
      // Accounts that share a credential have handles of their own, and so has each generation of a key, which cannot read another's.
      credentialScope: `${c.var.account}/${use.name}:${use.generation}`,
      cacheKey: null,
      canonical: prepared.canonical,
    })
    const { id, created } = await registryOf(c).registerHandle({
      fingerprint: contents,
      provider: card.id,
      model: prepared.model,
      name: given.display_name ?? null,
      credential: use.name,
      credentialGeneration: use.generation,
      estimatedTokens: prepared.estimatedTokens,
      bodyBytes: bytes,
      ttlMs,
      keep,
      body: pack(prepared.text),
    })
    const { view, confirmed } = await obtain(c, id, { want: 'any' }, 'thrown')
    return c.json({ created, ...cacheJson(view, confirmed) }, created ? 201 : 200)
  })
  .get('/caches/:id', account, async (c) => {
    const query = readQuery(c, cacheQuery)
    const id = idOf(c, query.provider)
    const freshSinceAt = c.var.askedAt - (query.max_age ?? 0)
    const { view, confirmed } = await obtain(c, id, { want: 'confirmed', freshSinceAt }, 'shown')
    return c.json(cacheJson(view, confirmed))
  })
  .patch('/caches/:id', account, async (c) => {
    const id = idOf(c, readQuery(c, ofProvider).provider)
    const change = await readBody(c, cacheChange)
    const ttlMs = ttlFrom(change.ttl)
    const changed = await registryOf(c).changeHandle(id, {
      ...(ttlMs === null ? {} : { ttlMs }),
      ...(change.keep === undefined ? {} : { keep: keepFrom(change.keep, clockOf(c).now()) }),
      ...(change.display_name === undefined ? {} : { name: change.display_name }),
    })
    if (change.ttl === undefined && change.keep === undefined) return c.json(cacheJson(changed))
    const { view, confirmed } = await obtain(c, id, { want: 'renewed' }, 'thrown')
    return c.json(cacheJson(view, confirmed))
  })
  .delete('/caches/:id', account, async (c) => {
    const id = idOf(c, readQuery(c, ofProvider).provider)
    const registry = registryOf(c)
    const { lease, allowedSecrets, credentials } = await registry.removeHandle(id)
    if (lease === null) return c.json({ id, deleted: true, at_provider: 'none' })
    const work = (async () => {
      const ports = { env: c.env, clock: clockOf(c), allowedSecrets, credentials, bodyOf: () => Promise.resolve(null) }
      const outcome = await runManagedCacheLease(lease, ports)
      await registryOf(c).settleHandle(outcome)
      return outcome.kind === 'answered' || outcome.kind === 'gone'
    })()
    keepAlive(c, work)
    return c.json({ id, deleted: true, at_provider: (await work) ? 'deleted' : 'pending' })
  })
  .post('/caches/:id/report-gone', account, async (c) => {
    const id = idOf(c)
    const { handle } = await readBody(c, goneReport, { empty: true })
    const before = (await registryOf(c).handle(id)).state.live?.name ?? null
    // The provider is asked: a caller's 403 may also come from another model or another key.
    const { view, confirmed } = await obtain(c, id, { want: 'confirmed', freshSinceAt: c.var.askedAt }, 'shown')
    const now = view.state.live?.name ?? null
    return c.json({ replaced: now !== null && now !== (handle ?? before), ...cacheJson(view, confirmed) })
  })
  .get('/caches/:id/history', account, async (c) => {
    const id = idOf(c)
    const query = readQuery(c, cacheHistoryQuery)
    const from = decodeCursor(query.cursor, z.strictObject({ seq: z.int().min(0) }))
    const page = await registryOf(c).handleHistory(id, from?.seq ?? null, query.limit)
    return c.json({
      data: page.rows.map(cacheHistoryJson),
      next_cursor: page.cursor === null ? null : encodeCursor({ seq: page.cursor }),
    })
  })

function supported(card: Card): ManagedCacheDialect {
  if (card.managedCaches !== undefined) return card.managedCaches
  const { kind, message, detail } = withoutManagedCaches(card)
  throw new Failure(kind, message, detail)
}

/** The id of a managed cache. A provider named beside it must have managed caches at all. */
function idOf(c: Call, named?: string): string {
  if (named !== undefined) supported(cardFor(named, 'provider'))
  const id = c.req.param('id') ?? ''
  if (!/^cch_\d{1,4}_[0-9a-f]{24}$/.test(id)) throw new Failure('not_found', 'There is no managed cache with this id.')
  return id
}

function ttlFrom(given: number | undefined): number | null {
  if (given === undefined) return null
  if (given >= SHORTEST_TTL_MS && given <= LONGEST_TTL_MS) return given
  throw invalid('ttl', 'must be from 1 minute to 7 days')
}

function keepFrom(given: z.output<typeof cacheChange>['keep'], now: number): Partial<ManagedCacheKeep> {
  if (given === undefined) return {}
  if (given.until != null && given.until <= now) {
    throw invalid('keep.until', 'must not be in the past')
  }
  return {
    ...(given.until === undefined ? {} : { untilAt: given.until }),
    ...(given.idle === undefined ? {} : { idleMs: given.idle }),
    ...(given.budget_usd_per_day === undefined ? {} : { budgetNanosPerDay: given.budget_usd_per_day }),
  }
}

/**
 * Follows a wish to its end: as the one who calls the provider, or as one who waits. Failures are thrown, or shown in the view,
 * where a caller reads a resource that exists in any case.
 */
async function obtain(
  c: Call,
  id: string,
  wish: ManagedCacheWish,
  failures: 'thrown' | 'shown',
): Promise<{ view: ManagedCacheView; confirmed: boolean }> {
  const clock = clockOf(c)
  const untilAt = clock.now() + FOREGROUND_MS
  let wanted = wish
  for (;;) {
    const registry = registryOf(c) // one that restarts breaks older stubs
    const flight: ManagedCacheFlight = await registry.askForHandle(id, wanted, c.var.askedAt)
    if (flight.role === 'ready') return { view: flight.view, confirmed: true }
    if (flight.role === 'refused' && failures === 'thrown') {
      throw new Failure(flight.kind, `${flight.why}. The managed cache stays registered.`, { cache_id: id })
    }
    if (flight.role === 'failed' || flight.role === 'refused') {
      if (failures === 'thrown') throwFailure(flight.view)
      return { view: flight.view, confirmed: false }
    }
    const left = untilAt - clock.now()
    if (left <= 0) return stillRunning(await registry.handle(id), failures)
    const pause = clock.sleep(left)
    if (flight.role === 'leader') {
      const work = runManagedCacheToEnd(
        flight.lease,
        { env: c.env, clock, allowedSecrets: flight.allowedSecrets, credentials: flight.credentials },
        c.var.account,
      )
      // Others wait for it, and it may cost money: it is finished even if this caller hangs up.
      keepAlive(c, work)
      await Promise.race([work, pause])
      // Renewed or not, from here on any handle will do.
      if (wanted.want === 'renewed') wanted = { want: 'any' }
    } else {
      try {
        await Promise.race([registry.handleIdle(flight.k, left), pause])
      } catch (thrown) {
        if (readFailure(thrown) !== null) throw thrown
        await clock.sleep(Math.min(ASK_AGAIN_MS * clock.rate, left)) // the Registry restarts after an eviction
      }
    }
  }
}

function throwFailure({ state, record }: ManagedCacheView): never {
  const { lastFailure, stopped } = state
  const failure = lastFailure?.failure ?? {
    kind: 'provider_unavailable' as const,
    message: `There is no handle: ${stopped?.why ?? state.why}.`,
  }
  throw new Failure(failure.kind, `${failure.message} The managed cache stays registered.`, {
    ...failure.detail,
    cache_id: record.id,
  })
}

function stillRunning(
  view: ManagedCacheView,
  failures: 'thrown' | 'shown',
): { view: ManagedCacheView; confirmed: boolean } {
  if (failures === 'thrown') {
    throw new Failure('provider_timeout', 'The provider has not answered yet. The managed cache stays registered.', {
      cache_id: view.record.id,
    })
  }
  return { view, confirmed: false }
}
