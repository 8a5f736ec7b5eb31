import type { NOT_KNOWN, NOT_TAKEN } from '../../contract/told.ts'
import { believable } from '../../core/model/usage.ts'
import type { Usage } from '../../core/model/usage.ts'
import { TOLD_MS } from '../../registration/told/told-request.ts'
import type { ToldRequest } from '../../registration/told/told-request.ts'
import { cardNamed, cards, makers, modelFacts } from '../../providers/registry.ts'
import { cardById } from '../../runtime/cards.ts'
import { sha256 } from '../../runtime/ids.ts'
import type { Told, ToldCall } from '../../usage/told-call.ts'
import type { ToldCounts } from '../../usage/told-counts.ts'
import { clockOf, registryOf } from '../server/context.ts'
import type { Call } from '../server/context.ts'

type NotTaken = (typeof NOT_TAKEN)[number]
type NotKnown = (typeof NOT_KNOWN)[number]

/** One record of an export. `above` and `asAbove`: what a span that repeats it, or that it repeats, would be known by. */
export interface Reported {
  told: Told | { leftOut: 'unreadable' }
  above?: string
  asAbove?: string
}

/** What was taken of an export and what was not, by reason. */
export interface Report {
  taken: number
  matched: number
  not_taken: { reason: NotTaken; count: number; field?: string }[]
  not_known: { reason: NotKnown; count: number }[]
}

/** Counts the calls of an export, each once however often it comes. `tool`: keeps its ids apart from those of other tools. */
export async function report(c: Call, tool: string, records: readonly Reported[]): Promise<Report> {
  const now = clockOf(c).now()
  const notTaken = new Tally<NotTaken>()
  const notKnown = new Tally<NotKnown>()
  const requests: ToldRequest[] = []
  for (const { told, above, asAbove } of records) {
    const request: ToldRequest | Refused = 'call' in told ? requestOf(told.call, tool, now) : told
    if ('leftOut' in request) notTaken.add(request.leftOut, request.field)
    else requests.push({ ...request, ...hashed(tool, { above, asAbove }) })
  }
  const verdicts = requests.length === 0 ? [] : await registryOf(c).told(requests)
  let [taken, matched] = [0, 0]
  for (const [index, { usage }] of requests.entries()) {
    const verdict = verdicts[index] ?? 'duplicate'
    if (verdict === 'duplicate' || verdict === 'repeated') {
      notTaken.add(verdict)
      continue
    }
    taken++
    if (verdict === 'matched') matched++
    else notKnown.add(verdict)
    if (believable(usage) !== usage) notKnown.add('impossible_usage')
    else if (usage.cacheReadTokens === null) notKnown.add('no_cache_count')
  }
  return { taken, matched, not_taken: notTaken.rows(), not_known: notKnown.rows() }
}

/** Counts by reason and field, in the order in which they first came. */
class Tally<Reason extends string> {
  readonly #rows = new Map<string, { reason: Reason; count: number; field?: string }>()

  add(reason: Reason, field?: string): void {
    const key = `${reason} ${field ?? ''}`
    const row = this.#rows.get(key) ?? { reason, count: 0, ...(field === undefined ? {} : { field }) }
    row.count++
    this.#rows.set(key, row)
  }

  rows(): { reason: Reason; count: number; field?: string }[] {
    return [...this.#rows.values()]
  }
}

interface Refused {
  leftOut: NotTaken
  field?: string
}

/** Longest name of a model. */
const LONGEST_MODEL = 300

function requestOf(call: ToldCall, tool: string, now: number): ToldRequest | Refused {
  const { id, startedAt, ttftMs, counts } = call
  if (id === null) return { leftOut: 'no_id' }
  const models = call.models.filter((name) => name.length <= LONGEST_MODEL)
  if (models.length === 0) return { leftOut: 'no_model' }
  if (counts.input === null && counts.read === null && counts.written === null) return { leftOut: 'no_usage' }
  if (startedAt < now - TOLD_MS) return { leftOut: 'too_old' }
  const { providers, own } = providersOf(call.provider, models)
  return {
    key: hash(tool, `call ${id}`),
    prefixes: call.prefixes,
    providers,
    models: [...new Set(own.flatMap((name) => [name, name.slice(name.lastIndexOf('/') + 1)]))],
    startedAt: Math.round(startedAt),
    ttftMs: ttftMs === null ? null : Math.round(ttftMs),
    usage: usageOf(counts),
  }
}

function hashed(tool: string, given: { above: string | undefined; asAbove: string | undefined }) {
  return {
    ...(given.above === undefined ? {} : { above: hash(tool, given.above) }),
    ...(given.asAbove === undefined ? {} : { asAbove: hash(tool, given.asAbove) }),
  }
}

function hash(tool: string, text: string): string {
  return sha256(`${tool} ${text}`).slice(0, 24)
}

function usageOf({ input, read, written, writtenByRetention, output }: ToldCounts): Usage {
  const rest = input === null || read === null ? null : input - read - (written ?? 0)
  return {
    inputTokens: input,
    uncachedTokens: rest === null || rest < 0 ? null : rest,
    cacheReadTokens: read,
    cacheWriteTokens: written,
    cacheWriteByRetention: writtenByRetention,
    outputTokens: output,
    reasoningTokens: null,
  }
}

/** A provider that no card describes is shown under its own name, if that is one. */
const NAME = /^[\w.-]{1,64}$/
const UNKNOWN = 'unknown'

/** The providers that a tool may mean, the likeliest first, and the model's names at it. */
function providersOf(
  provider: string | null,
  models: readonly string[],
): { providers: string[]; own: readonly string[] } {
  if (provider !== null) {
    const card = cardById(provider) ?? cardNamed(provider)
    if (card !== undefined) return { providers: [card.id, ...besides(card.id)], own: models }
    return { providers: [NAME.test(provider) ? provider.toLowerCase() : UNKNOWN], own: models }
  }
  const [model = ''] = models
  const slash = model.indexOf('/')
  // Routers name a model `provider/model`.
  const card = slash > 0 ? cardNamed(model.slice(0, slash)) : undefined
  if (card !== undefined)
    return { providers: [card.id, ...besides(card.id)], own: models.map((name) => name.slice(name.indexOf('/') + 1)) }
  const maker = makers.find((one) => models.some((name) => modelFacts(one, name, 0).price !== null))
  return { providers: maker === undefined ? [UNKNOWN] : [maker.id, ...besides(maker.id)], own: models }
}

/** The other cards of a vendor that has several APIs under one name. */
function besides(id: string): string[] {
  const one = cardById(id)
  return cards.flatMap((card) =>
    card.chatOf === id || (one?.chatOf !== undefined && card.id === one.chatOf) ? [card.id] : [],
  )
}
