import * as z from 'zod'
import { cacheChange, cacheCreation, goneReport } from '../../contract/caches.ts'
import { Failure, invalid } from '../../contract/failure.ts'
import { duration } from '../../contract/scalars.ts'
import { fingerprint } from '../../core/prompt/fingerprint.ts'
import type { ManagedCacheKeep } from '../../core/managed-cache/state.ts'
import { withoutCredentials } from '../../providers/dialects/shared/credentials.ts'
import { boundOf } from '../../providers/tokens/bound.ts'
import { runManagedCacheLease } from '../../calls/managed-cache.ts'
import { pack } from '../../runtime/bytes.ts'
import { account } from '../server/auth.ts'
import { readBody } from '../server/read-body.ts'
import { clockOf, keepAlive, registryOf, router, tracerOf } from '../server/context.ts'
import type { Call } from '../server/context.ts'
import { decodeCursor, encodeCursor } from '../server/cursor.ts'
import { idempotent } from '../server/idempotency.ts'
import { switchTold } from '../server/kill-switch.ts'
import { cacheHistoryJson, cacheJson } from '../present/managed-cache.ts'
import { cursor, limit, readQuery } from '../server/query.ts'
import { credentialsNamed, refuseUnsendable, regionFor } from '../server/credential.ts'
import { WARM_RAW } from '../../registration/json-body.ts'
import { lintPolicy } from '../../core/lint/policy.ts'
import { checkedBeginning } from '../../registration/beginning.ts'
import { beginningOf, contentsOf, supported } from './contents.ts'
import { cacheDryRun } from './dry-run.ts'
import { obtain } from './obtain.ts'
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
  .post('/caches', account, idempotent, switchTold, async (c) => {
    const given = await readBody(c, cacheCreation, { raw: WARM_RAW })
    const card = cardFor(given.provider, 'provider')
    const prepared = contentsOf(card, given)
    const ttlMs = ttlFrom(given.ttl)
    const keep = keepFrom(given.keep, clockOf(c).now())
    const known = await credentialsNamed(c, [given.credential])
    const use = useOf(given.credential, known)
    const place = regionFor(card, given.region, known.get(use.name))
    await refuseUnsendable(c, card, known.get(use.name), place.region)
    const advice = checkedBeginning(card, beginningOf(given), lintPolicy(given.lint, c.var.lint))
    // The provider keeps the credentials inside of the cache, so that the fingerprint covers them: another one is another cache.
    const { text, credentials } = withoutCredentials(prepared.text)
    const contents = fingerprint({
      provider: card.id,
      model: prepared.model,
      // Accounts that share a credential have handles of their own, and so has each generation of a key, which cannot read another's.
      credentialScope: `${c.var.account}/${use.name}:${use.generation}`,
      cacheKey: null,
      canonical: prepared.canonical,
      // Regions share nothing. Without one it is what it was before callers could name one.
      outsideBody: place.region === undefined ? null : JSON.stringify(place),
    })
    const registration = {
      fingerprint: contents,
      provider: card.id,
      model: prepared.model,
      name: given.display_name ?? null,
      credential: use.name,
      credentialGeneration: use.generation,
      ...place,
      estimatedTokens: prepared.estimatedTokens,
      bound: boundOf(card, prepared.model, prepared.text),
      bodyBytes: Buffer.byteLength(prepared.text),
      ttlMs,
      keep,
    }
    if (given.dry_run === true) return c.json(await cacheDryRun(c, registration, advice))
    const { id, created } = await registryOf(c).registerHandle({
      ...registration,
      body: pack(text),
      ...(credentials.length === 0 ? {} : { credentials }),
    })
    const { view, confirmed } = await obtain(c, id, { want: 'any' }, 'thrown')
    const made = { created, ...cacheJson(view, confirmed), ...(advice.length === 0 ? {} : { advice }) }
    return c.json(made, created ? 201 : 200)
  })
  .get('/caches/:id', account, async (c) => {
    const query = readQuery(c, cacheQuery)
    const id = idOf(c, query.provider)
    // To confirm a cache may create it anew, which costs money.
    if (c.var.access === 'read') return c.json(cacheJson(await registryOf(c).handle(id)))
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
      const context = { env: c.env, clock: clockOf(c), tracer: tracerOf(c) }
      const ports = { ...context, allowedSecrets, credentials, bodyOf: () => Promise.resolve(null) }
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
