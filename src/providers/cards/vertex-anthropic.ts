import type { Price, Rates } from '../../core/model/facts.ts'
import { anthropic } from './anthropic.ts'
import { facts } from './build.ts'
import { vertex } from './vertex.ts'
import { anthropicMessages } from '../dialects/anthropic-messages/dialect.ts'
import type { Card, ModelCard } from '../card.ts'
import { CLAUDE_COUNTED_BY_VERTEX } from './tokens.ts'

const DOCS = 'https://platform.claude.com/docs/en/build-with-claude/claude-on-vertex-ai'

/** Models of before Sonnet 4.5 cost the same at every endpoint. */
const ONE_PRICE = /^claude-(?:3|opus-4-[01]|opus-4(?:-20|$)|sonnet-4-0|sonnet-4(?:-20|$))/

function dearer({ cacheWriteNanosPerMTok, ...rates }: Rates): Rates {
  const tenth = (nanos: number): number => Math.round(nanos * 1.1)
  return {
    inputNanosPerMTok: tenth(rates.inputNanosPerMTok),
    cacheReadNanosPerMTok: tenth(rates.cacheReadNanosPerMTok),
    cacheWriteNanosPerMTok: Object.fromEntries(
      Object.entries(cacheWriteNanosPerMTok).map(([name, nanos]) => [name, tenth(nanos)]),
    ),
    outputNanosPerMTok: tenth(rates.outputNanosPerMTok),
  }
}

/** A price at endpoints of a region: a tenth more than Anthropic's. The global endpoint costs what Anthropic's does: budgets count the dearer. */
function regional(price: Price): Price {
  return { ...price, ...dearer(price), source: DOCS }
}

/** The models of a row that `has` takes, at these prices. Whether `max_tokens: 0` is taken here is not verified. */
function rowOf(
  { models, facts: known, ...row }: ModelCard,
  has: (name: string) => boolean,
  prices: Price[],
): ModelCard {
  const own: ModelCard['facts'] = { ...known, primitives: ['one_token'] }
  return { ...row, models: models.filter(has), facts: own, prices, source: DOCS }
}

/** Claude on Vertex AI: Anthropic's body with the version in it, the model in the path. Names have their date behind an `@`. */
export const vertexAnthropic: Card = {
  id: 'vertex-anthropic',
  spanName: 'gcp.vertex_ai',
  name: 'Claude on Vertex AI',
  baseUrl: vertex.baseUrl.replace(/google$/, 'anthropic/models'),
  baseUrlWhen: Object.fromEntries(
    Object.entries(vertex.baseUrlWhen ?? {}).map(([when, url]) => [when, url.replace(/google$/, 'anthropic/models')]),
  ),
  region: 'VERTEX_LOCATION',
  auth: vertex.auth,
  headers: {},
  callerHeaders: ['anthropic-beta'],
  comparesMemberOrder: true, // seen by users, in no document: github.com/maximhq/bifrost, issue 6406; checked 2026-11-30
  dialect: anthropicMessages,
  wire: { version: '', versionInBody: 'vertex-2023-10-16' },
  chatOf: vertex.id,
  onlyModels: ['claude-*'],
  knownAs: (name) => name.replace(/@(?=20\d{6}$)/, '-').replace(/@.*$/, ''),
  serviceAccounts: true,
  labPath: '/vertex/v1/projects/lab/locations/lab/publishers/anthropic/models',
  secret: vertex.secret,
  // The models of Anthropic. Source: platform.claude.com, "Context windows"; checked 2026-11-30.
  contextTokens: 1_000_000,
  models: anthropic.models
    .flatMap((row) => [
      rowOf(row, (name) => ONE_PRICE.test(name), row.prices),
      rowOf(row, (name) => !ONE_PRICE.test(name), row.prices.map(regional)),
    ])
    .filter(({ models }) => models.length > 0),
  tokens: CLAUDE_COUNTED_BY_VERTEX,
  facts: facts(DOCS, {
    mechanism: "As Anthropic's: explicit breakpoints (cache_control), four at most.",
    granularity: "Anthropic's minimums by model.",
    clock: '5 minutes or an hour from the start of the request that wrote or last read.',
    affinity: 'None to set. Entries belong to a project; endpoints of regions and the global one share nothing.',
    writes: 'cache_creation_input_tokens, by lifetime in cache_creation.',
    usage: 'input_tokens excludes what was read and written.',
    price:
      "Anthropic's price at the global endpoint; elsewhere a tenth more for Sonnet 4.5 and later models. The higher price is shown.",
    errors: "Anthropic's shape, or Google's: {error: {code, status, message}}.",
  }),
  source: DOCS,
  checked: '2026-11-30',
}
