import type * as z from 'zod'
import { invalid } from '../../contract/failure.ts'
import { baseUrlProblem, providerChange } from '../../contract/override.ts'
import type { ModelOverride, OverrideChange, ProviderOverride } from '../../core/model/overrides.ts'
import { isDevelopment } from '../../runtime/env.ts'
import { useOverrides } from '../../runtime/overrides.ts'
import { admin } from '../server/auth.ts'
import { readBody } from '../server/read-body.ts'
import { clockOf, directoryOf, router } from '../server/context.ts'
import { everyRegistry } from '../server/every-registry.ts'
import type { Call } from '../server/context.ts'
import { durationJson, iso, money } from '../present/format.ts'
import { cardFor } from '../../registration/native.ts'

const CHANGES_SHOWN = 50

/** The administrator's facts, which override those of a card until the next deployment has them. */
export const factOverrides = router()
  .get('/providers/:id', admin, async (c) =>
    c.json(changesJson(await directoryOf(c).factChanges(idOf(c), CHANGES_SHOWN))),
  )
  .patch('/providers/:id', admin, async (c) => {
    const id = idOf(c)
    const given = await readBody(c, providerChange)
    if (given.base_url != null) {
      const problem = baseUrlProblem(given.base_url, isDevelopment(c.env))
      if (problem !== null) throw invalid('base_url', problem)
    }
    const [latest] = await directoryOf(c).factChanges(id, 1)
    return c.json(await put(c, id, changed((latest?.override ?? {}) as ProviderOverride, given, clockOf(c).now())))
  })
  .delete('/providers/:id', admin, async (c) => c.json(await put(c, idOf(c), null)))

function idOf(c: Call): string {
  return cardFor(c.req.param('id') ?? '', 'id').id
}

/** Stores an override and passes it to every Registry, which plans again with it. */
async function put(c: Call, id: string, override: ProviderOverride | null) {
  const directory = directoryOf(c)
  const all = await directory.changeFacts(id, override, c.var.requestId)
  useOverrides(all, clockOf(c).now())
  await everyRegistry(c, (registry) => registry.setOverrides(all))
  return changesJson(await directory.factChanges(id, CHANGES_SHOWN))
}

function changed(before: ProviderOverride, given: z.output<typeof providerChange>, now: number): ProviderOverride {
  const { baseUrl, models } = before
  const nextUrl = given.base_url === undefined ? baseUrl : (given.base_url?.replace(/\/+$/, '') ?? undefined)
  const nextModels = given.models === undefined ? models : given.models?.map((row) => modelOverride(row, now))
  return {
    ...(nextUrl === undefined ? {} : { baseUrl: nextUrl }),
    ...(nextModels === undefined ? {} : { models: nextModels }),
  }
}

type GivenRow = NonNullable<z.output<typeof providerChange>['models']>[number]

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
            cacheWriteNanosPerMTok: price.cache_write,
            outputNanosPerMTok: price.output,
            from: price.from,
            source: price.source,
            checked: new Date(now).toISOString().slice(0, 10),
          })),
        }),
  }
}

function changesJson(changes: readonly OverrideChange[]) {
  return {
    data: changes.map(({ version, at, requestId, override }) => ({
      version,
      at: iso(at),
      request_id: requestId,
      override: override === null ? null : overrideJson(override),
    })),
    next_cursor: null,
  }
}

/** An override as a caller would give it. */
export function overrideJson({ baseUrl, models }: ProviderOverride) {
  return {
    ...(baseUrl === undefined ? {} : { base_url: baseUrl }),
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
                    cache_write: Object.fromEntries(
                      Object.entries(price.cacheWriteNanosPerMTok).map(([name, nanos]) => [name, money(nanos)]),
                    ),
                    output: money(price.outputNanosPerMTok),
                    from: price.from,
                    source: price.source,
                  })),
                }),
          })),
        }),
  }
}
