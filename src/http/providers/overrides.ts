import type * as z from 'zod'
import { Failure, invalid } from '../../contract/failure.ts'
import { addedProviderId, baseUrlProblem, newProvider, providerChange } from '../../contract/override.ts'
import type { ModelOverride, OverrideChange, ProviderOverride } from '../../core/model/overrides.ts'
import { isDevelopment } from '../../runtime/env.ts'
import { useOverrides } from '../../runtime/overrides.ts'
import { admin } from '../server/auth.ts'
import { readBody } from '../server/read-body.ts'
import { clockOf, directoryOf, router } from '../server/context.ts'
import type { Call } from '../server/context.ts'
import { durationJson, iso, money } from '../present/format.ts'
import { cardFor } from '../../registration/native.ts'
import { unknownProvider } from '../../registration/refuse.ts'
import { secretOf } from '../../providers/added.ts'
import { cardById as fixedCard, cards } from '../../providers/registry.ts'
import { cardById } from '../../runtime/cards.ts'

const CHANGES_SHOWN = 50

/** The administrator's facts: over a card of this version, or of a provider that is added by them alone. */
export const factOverrides = router()
  .get('/providers/:id', admin, async (c) => {
    const [changes, { pending }] = await Promise.all([changesOf(c), directoryOf(c).rollOut()])
    return c.json(changesJson(changes, pending))
  })
  .put('/providers/:id', admin, async (c) => {
    const id = newId(c)
    const given = await readBody(c, newProvider)
    const { like, base_url, name, answer_timeout, models } = given
    const base = fixedCard(like)
    if (base === undefined) {
      throw unknownProvider(
        'like',
        cards.map((card) => card.id),
        like,
      )
    }
    refuseUrl(c, base_url)
    const changes = await directoryOf(c).factChanges(id, CHANGES_SHOWN)
    const before = changes.find(({ override }) => override?.like !== undefined)?.override?.like
    if (before !== undefined && fixedCard(before)?.dialect !== base.dialect)
      throw invalid(
        'like',
        `is of another wire format than ${before}, which ${id} was like; another format needs another id`,
      )
    const change = { base_url, answer_timeout, models }
    const added = changed({ like, ...(name === undefined ? {} : { name }) }, change, clockOf(c).now())
    const isNew = cardById(id) === undefined
    return c.json(await put(c, id, added), isNew ? 201 : 200)
  })
  .patch('/providers/:id', admin, async (c) => {
    const id = idOf(c)
    const given = await readBody(c, providerChange)
    if (given.base_url != null) refuseUrl(c, given.base_url)
    const [latest] = await directoryOf(c).factChanges(id, 1)
    const before = (latest?.override ?? {}) as ProviderOverride
    if (given.base_url === null && before.like !== undefined)
      throw invalid('base_url', 'is all the address that an added provider has')
    return c.json(await put(c, id, changed(before, given, clockOf(c).now())))
  })
  .delete('/providers/:id', admin, async (c) => c.json(await put(c, idOf(c), null)))

function idOf(c: Call): string {
  return cardFor(c.req.param('id') ?? '', 'id').id
}

/** The changes of a provider. One that was removed still has them. */
async function changesOf(c: Call): Promise<OverrideChange[]> {
  const id = c.req.param('id') ?? ''
  const changes = await directoryOf(c).factChanges(id, CHANGES_SHOWN)
  return changes.length > 0 || idOf(c) === id ? changes : []
}

/** The id of a provider to add. Refuses those of this version, and one whose Worker secret would be a vendor's. */
function newId(c: Call): string {
  const id = addedProviderId.safeParse(c.req.param('id'))
  if (!id.success)
    throw invalid('id', 'must be 1 to 40 lower-case letters, digits and hyphens, and begin with a letter')
  if (fixedCard(id.data) !== undefined)
    throw new Failure('conflict', `${id.data} is a provider of this version: PATCH says facts over its card.`)
  if (cards.some(({ secret }) => secret === secretOf(id.data)))
    throw invalid('id', `would have the secret ${secretOf(id.data)}, which is another provider's`)
  return id.data
}

function refuseUrl(c: Call, url: string): void {
  const problem = baseUrlProblem(url, isDevelopment(c.env))
  if (problem !== null) throw invalid('base_url', problem)
}

/** Stores an override. Every Registry is told of it, one after the other, and plans again with it. */
async function put(c: Call, id: string, override: ProviderOverride | null) {
  const directory = directoryOf(c)
  const { overrides, rollOut } = await directory.putFacts(id, override, c.var.requestId)
  useOverrides(overrides, clockOf(c).now())
  return changesJson(await directory.factChanges(id, CHANGES_SHOWN), rollOut.pending)
}

type GivenFacts = z.output<typeof providerChange>

function changed(before: ProviderOverride, given: GivenFacts, now: number): ProviderOverride {
  const { baseUrl, answerTimeoutMs, models, ...identity } = before
  const nextUrl = given.base_url === undefined ? baseUrl : (given.base_url?.replace(/\/+$/, '') ?? undefined)
  const nextTimeout = given.answer_timeout === undefined ? answerTimeoutMs : (given.answer_timeout ?? undefined)
  const nextModels = given.models === undefined ? models : given.models?.map((row) => modelOverride(row, now))
  return {
    ...identity,
    ...(nextUrl === undefined ? {} : { baseUrl: nextUrl }),
    ...(nextTimeout === undefined ? {} : { answerTimeoutMs: nextTimeout }),
    ...(nextModels === undefined ? {} : { models: nextModels }),
  }
}

type GivenRow = NonNullable<GivenFacts['models']>[number]

function modelOverride(given: GivenRow, now: number): ModelOverride {
  return {
    models: given.models,
    ...(given.minimum_tokens === undefined ? {} : { minimumTokens: given.minimum_tokens }),
    ...(given.output_floor_tokens === undefined ? {} : { outputFloorTokens: given.output_floor_tokens }),
    ...(given.retentions === undefined
      ? {}
      : {
          retentions: given.retentions.map(({ name, ttl, kind, assumed = false }) => ({
            name,
            kind,
            ttlMs: ttl,
            assumed,
            // Answers may move an assumed TTL, between a third and three times of it.
            minTtlMs: assumed ? Math.ceil(ttl / 3) : ttl,
            maxTtlMs: assumed ? ttl * 3 : ttl,
          })),
        }),
    ...(given.prices === undefined
      ? {}
      : {
          prices: given.prices.map((price) => ({
            inputNanosPerMTok: price.input,
            cacheReadNanosPerMTok: price.cached_input,
            ...(price.cache_write === undefined
              ? { cacheWriteNanosPerMTok: {}, writesAtInput: true as const }
              : { cacheWriteNanosPerMTok: price.cache_write }),
            outputNanosPerMTok: price.output,
            from: price.from,
            source: price.source,
            checked: new Date(now).toISOString().slice(0, 10),
          })),
        }),
  }
}

function changesJson(changes: readonly OverrideChange[], pending: number) {
  return {
    data: changes.map(({ version, at, requestId, override }) => ({
      version,
      at: iso(at),
      request_id: requestId,
      override: override === null ? null : overrideJson(override),
    })),
    next_cursor: null,
    pending,
  }
}

/** An override as a caller would give it. */
export function overrideJson({ like, name: called, baseUrl, answerTimeoutMs, models }: ProviderOverride) {
  return {
    ...(like === undefined ? {} : { like }),
    ...(called === undefined ? {} : { name: called }),
    ...(baseUrl === undefined ? {} : { base_url: baseUrl }),
    ...(answerTimeoutMs === undefined ? {} : { answer_timeout: durationJson(answerTimeoutMs) }),
    ...(models === undefined
      ? {}
      : {
          models: models.map((row) => ({
            models: row.models,
            ...(row.minimumTokens === undefined ? {} : { minimum_tokens: row.minimumTokens }),
            ...(row.outputFloorTokens === undefined ? {} : { output_floor_tokens: row.outputFloorTokens }),
            ...(row.retentions === undefined
              ? {}
              : {
                  retentions: row.retentions.map(({ name, ttlMs, kind, assumed }) => ({
                    name,
                    ttl: durationJson(ttlMs),
                    kind,
                    assumed,
                  })),
                }),
            ...(row.prices === undefined
              ? {}
              : {
                  prices: row.prices.map((price) => ({
                    input: money(price.inputNanosPerMTok),
                    cached_input: money(price.cacheReadNanosPerMTok),
                    ...(price.writesAtInput === true
                      ? {}
                      : {
                          cache_write: Object.fromEntries(
                            Object.entries(price.cacheWriteNanosPerMTok).map(([name, nanos]) => [name, money(nanos)]),
                          ),
                        }),
                    output: money(price.outputNanosPerMTok),
                    from: price.from,
                    source: price.source,
                  })),
                }),
          })),
        }),
  }
}
