import { usd } from '../../core/model/price.ts'
import type { ModelFacts, Rates } from '../../core/model/facts.ts'
import { variablesOf } from '../../providers/transport/address.ts'
import { priceAt } from '../../providers/registry.ts'
import type { Card, ModelCard } from '../../providers/card.ts'
import { allCards } from '../../runtime/cards.ts'
import { accessTo } from '../../runtime/env.ts'
import { account } from '../server/auth.ts'
import { clockOf, registryOf, router } from '../server/context.ts'
import type { Call } from '../server/context.ts'
import { answerTimeoutOf } from '../../runtime/facts.ts'
import { overrides } from '../../runtime/overrides.ts'
import { overrideJson } from './overrides.ts'
import { durationJson } from '../present/format.ts'

export const providers = router().get('/providers', account, async (c) => {
  const allowed = (await registryOf(c).settings())?.allowedSecrets ?? []
  return c.json({ data: allCards().map((card) => cardJson(c, card, allowed)), next_cursor: null })
})

function cardJson(c: Call, card: Card, allowed: readonly string[]) {
  const access = accessTo(card, c.env)
  const timeoutMs = answerTimeoutOf(card.id)
  const override = overrides().providers[card.id]
  const today = new Date(clockOf(c).now()).toISOString().slice(0, 10)
  return {
    id: card.id,
    name: card.name,
    like: card.like ?? null,
    dialect: card.dialect.id,
    // The values of variables belong to the administrator, and accounts may not read them.
    base_url: access.lab || card.like !== undefined ? access.baseUrl : card.baseUrl,
    answer_timeout: timeoutMs === null ? null : durationJson(timeoutMs),
    supports_handles: card.managedCaches !== undefined,
    refusal: access.refusal?.message ?? null,
    variables: variablesOf(card),
    caller_headers: card.callerHeaders ?? [],
    facts: card.facts,
    credential: {
      secret: card.secret,
      configured: access.credential !== null,
      allowed: access.lab || allowed.includes(card.secret),
      lab: access.lab,
    },
    models: card.models.map((row) => modelJson(row, today)),
    override: override === undefined ? null : overrideJson(override),
    source: card.source,
    checked: card.checked,
  }
}

function modelJson(row: ModelCard, today: string) {
  const { facts } = row
  const price = priceAt(row.prices, today)
  return {
    models: row.models,
    minimum_tokens: facts.minimumTokens,
    writes_reported: facts.writesReported,
    shared_by: facts.sharedBy ?? null,
    spills_above:
      facts.spill === undefined ? null : { requests: facts.spill.requests, every: durationJson(facts.spill.everyMs) },
    primitives: facts.primitives,
    retentions: facts.retentions.map(retentionJson),
    price_usd_per_million_tokens:
      price === null
        ? null
        : {
            ...ratesJson(price),
            over: price.over === undefined ? null : { tokens: price.over.tokens, ...ratesJson(price.over) },
            peak: price.peak === undefined ? null : { hours_utc: price.peak.hoursUtc, ...ratesJson(price.peak) },
            from: price.from,
            source: price.source,
            checked: price.checked,
          },
    source: row.source,
    checked: row.checked,
  }
}

function ratesJson(rates: Rates) {
  return {
    input: usd(rates.inputNanosPerMTok),
    cached_input: usd(rates.cacheReadNanosPerMTok),
    cache_write: Object.fromEntries(
      Object.entries(rates.cacheWriteNanosPerMTok).map(([name, nanos]) => [name, usd(nanos)]),
    ),
    output: usd(rates.outputNanosPerMTok),
  }
}

function retentionJson(offer: ModelFacts['retentions'][number]) {
  return { name: offer.name, kind: offer.kind, ttl: durationJson(offer.ttlMs), assumed: offer.assumed }
}
