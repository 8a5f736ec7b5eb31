import type { Holding } from '../../core/planning/probe-policy.ts'
import { trafficOf } from '../../core/demand/traffic.ts'
import { shown } from '../log/entry.ts'
import type { Log, PrefixLog, Sizes } from '../log/traffic.ts'
import { added, holdingsOf, outcomesOf, PLANS, plus } from './outcomes.ts'
import type { Outcome, PlanName } from './outcomes.ts'
import type { Known, Priced } from './prices.ts'

export interface PrefixResult {
  label: string
  tokens: number
  requests: number
  /** Number of idle gaps longer than the shortest retention. */
  gaps: number
  /** The size is that of whole prompts. */
  wholePrompt: boolean
  outcomes: Outcome[]
}

export interface Retention {
  name: string
  ttlMs: number
  assumed: boolean
}

/** Result for all prefixes of one model, which have the same prices. */
export interface ModelResult {
  provider: string
  model: string
  pricesFrom: string
  source: string
  checked: string
  /** The default retention first. */
  retentions: Retention[]
  prefixes: number
  requests: number
  outcomes: Outcome[]
  /** The most expensive prefixes, and the sum of the others. */
  shown: PrefixResult[]
  rest: { prefixes: number; requests: number; outcomes: Outcome[] } | null
  /** Number of prefixes whose requests differ in size by more than a factor of two: probably whole prompts. */
  uneven: number
  /** Number of prefixes whose size is that of whole prompts, because the log has no other size. */
  wholePrompts: number
}

/** Prefixes without a computation, and the reason. */
export interface Left {
  provider: string | null
  model: string | null
  prefixes: number
  requests: number
  why: string
}

export interface Simulation {
  fromAt: number
  toAt: number
  requests: number
  models: ModelResult[]
  unpriced: Left[]
  tooSmall: Left[]
  /** Prefixes and requests whose size the log does not have. */
  unsized: { prefixes: number; requests: number }
  /** Sums over all models, each at its default retention. */
  total: Outcome[]
}

export interface SimulationOptions {
  prices: (provider: string | null, model: string | null) => Priced
  /** Size of all prefixes in place of the log's; null: the log's. */
  tokens: number | null
  latencyNanos: number
  /** Number of prefixes of a model that are listed one by one. */
  top: number
  /** Called after each prefix. */
  progress?: (done: number) => void
}

/** Replays every prefix of a log under every plan. */
export function simulate(log: Log, options: SimulationOptions): Simulation {
  const models = new Map<string, ModelResult>()
  const [unpriced, tooSmall] = [new Map<string, Left>(), new Map<string, Left>()]
  const unsized = { prefixes: 0, requests: 0 }
  log.prefixes.forEach((prefix, index) => {
    options.progress?.(index)
    const { tokens, sizes } = sizeOf(prefix, options.tokens)
    const priced = options.prices(prefix.provider, prefix.model)
    const holdings = 'unknown' in priced || tokens === null ? [] : holdingsOf(priced, tokens)
    if ('unknown' in priced) leave(unpriced, prefix, priced.unknown)
    else if (tokens === null) {
      unsized.prefixes += 1
      unsized.requests += prefix.requests
    } else if (tokens < (priced.facts.minimumTokens ?? 1)) {
      leave(tooSmall, prefix, `fewer than the ${priced.facts.minimumTokens ?? 1} tokens that the model caches at least`)
    } else if (holdings.length === 0) leave(unpriced, prefix, 'no retention of this model can be kept by probes')
    else {
      const model = modelOf(models, priced, holdings)
      const traffic = trafficOf(prefix.runs.all(), log.toAt)
      const shortest = Math.min(...holdings.map(({ ttlMs }) => ttlMs))
      // A row of the plain format has the size of the prefix; other logs have that of the whole prompt.
      const wholePrompt = sizes === prefix.tokens && log.format !== 'plain'
      const result = {
        label: prefix.label,
        tokens,
        requests: prefix.requests,
        gaps: traffic.gaps.filter(({ lengthMs }) => lengthMs > shortest).length,
        wholePrompt,
        outcomes: outcomesOf(traffic, prefix.requests, holdings, options.latencyNanos),
      }
      model.prefixes += 1
      model.requests += prefix.requests
      if (sizes !== null && sizes.most > 2 * sizes.least) model.uneven += 1
      if (wholePrompt) model.wholePrompts += 1
      model.outcomes = added(model.outcomes, result.outcomes)
      show(model, result, options.top)
    }
  })
  const sorted = [...models.values()].toSorted((a, b) => costOf(b) - costOf(a))
  return {
    fromAt: log.fromAt,
    toAt: log.toAt,
    requests: log.requests,
    models: sorted,
    unpriced: [...unpriced.values()],
    tooSmall: [...tooSmall.values()],
    unsized,
    total: totalOf(sorted),
  }
}

/** Returns the size of a prefix: the given one, else the mean of its cached tokens, else the mean of its rows. */
function sizeOf(prefix: PrefixLog, asked: number | null): { tokens: number | null; sizes: Sizes | null } {
  if (asked !== null) return { tokens: asked, sizes: null }
  const sizes = prefix.cached.count > 0 ? prefix.cached : prefix.tokens
  return sizes.count === 0 ? { tokens: null, sizes } : { tokens: Math.round(sizes.sum / sizes.count), sizes }
}

function modelOf(
  models: Map<string, ModelResult>,
  { provider, model, facts }: Known,
  holdings: readonly Holding[],
): ModelResult {
  const key = JSON.stringify([provider, model])
  const known = models.get(key)
  if (known !== undefined) return known
  const fresh: ModelResult = {
    provider,
    model: shown(model, 'model'),
    pricesFrom: facts.price?.from ?? '',
    source: facts.price?.source ?? '',
    checked: facts.price?.checked ?? '',
    retentions: holdings.map(({ name, ttlMs }) => ({
      name,
      ttlMs,
      assumed: facts.retentions.some((offer) => offer.name === name && offer.assumed),
    })),
    prefixes: 0,
    requests: 0,
    outcomes: [],
    shown: [],
    rest: null,
    uneven: 0,
    wholePrompts: 0,
  }
  models.set(key, fresh)
  return fresh
}

/** Keeps the most expensive prefixes one by one, and the sum of the others. */
function show(model: ModelResult, result: PrefixResult, top: number): void {
  const place = model.shown.findIndex((other) => costOf(other) < costOf(result))
  model.shown.splice(place < 0 ? model.shown.length : place, 0, result)
  const out = model.shown.length > top ? model.shown.pop() : undefined
  if (out === undefined) return
  const rest = model.rest ?? { prefixes: 0, requests: 0, outcomes: [] }
  model.rest = {
    prefixes: rest.prefixes + 1,
    requests: rest.requests + out.requests,
    outcomes: added(rest.outcomes, out.outcomes),
  }
}

const costOf = ({ outcomes }: Pick<PrefixResult, 'outcomes'>): number => outcomes[0]?.costNanos ?? 0

function totalOf(models: readonly ModelResult[]): Outcome[] {
  return PLANS.flatMap((plan) => {
    const named = (outcomes: readonly Outcome[], name: PlanName) => outcomes.find((one) => one.plan === name)
    if (!models.some(({ outcomes }) => named(outcomes, plan))) return []
    // With one retention there is no choice, so `auto` stands for `auto_choosing`.
    const instead = plan === 'auto_choosing' ? 'auto' : plan
    const parts = models.flatMap(({ outcomes }) => named(outcomes, plan) ?? named(outcomes, instead) ?? [])
    return parts.length === 0 ? [] : [{ ...parts.reduce(plus), plan, retention: null }]
  })
}

function leave(left: Map<string, Left>, prefix: PrefixLog, why: string): void {
  const { requests } = prefix
  const provider = prefix.provider === null ? null : shown(prefix.provider, 'provider')
  const model = prefix.model === null ? null : shown(prefix.model, 'model')
  const key = JSON.stringify([provider, model, why])
  const known = left.get(key) ?? { provider, model, prefixes: 0, requests: 0, why }
  left.set(key, { ...known, prefixes: known.prefixes + 1, requests: known.requests + requests })
}
