import { DAY_MS } from '../../core/time/time.ts'
import { baseline, days, dollars, planName, saved, whole } from './figures.ts'
import type { Outcome } from './outcomes.ts'
import type { ModelResult, PrefixResult, Simulation } from './simulation.ts'

/** What a person should do. The JSON output has these names, so they stay. */
export const ANSWERS = [
  'never_cold',
  'never_returns',
  'one_line',
  'warm',
  'no_gain',
  'too_little',
  'unknown_price',
] as const

/** Answer to "should I keep this warm?". Gains are for a month of 30 days; both are 0 unless the figures show them. */
export interface Answer {
  kind: (typeof ANSWERS)[number]
  sentence: string
  /** Saving of another retention alone, without probes, against the default one. */
  oneLineNanos: number
  /** Saving of the cheapest plan, against the default retention without probes. */
  bestNanos: number
}

/** Figures of one prefix, or of several that have the same prices. */
export interface Figures {
  outcomes: readonly Outcome[]
  prefixes: number
  requests: number
  /** Length of the log. */
  spanMs: number
  /** Some sizes are those of whole prompts, so a saving is an upper bound. */
  atMost: boolean
  /** The provider states no length for a retention, so a saving rests on an assumption. */
  assumed: boolean
}

/** Fewer data show no daily rhythm, and a month cannot be told from them. */
export const LEAST = { requests: 10, spanMs: DAY_MS }
export const MONTH_DAYS = 30
/** Smaller gains in a month are nothing that a person acts on. */
const LEAST_GAIN_NANOS = 10_000_000

/** Factor from the sum over the log to the sum of a month; null if the log is too short. */
export function monthFactor(spanMs: number): number | null {
  return spanMs < LEAST.spanMs ? null : (MONTH_DAYS * DAY_MS) / spanMs
}

/** Answers for one prefix, or for all prefixes of a model. */
export function answerOf(figures: Figures): Answer {
  const { outcomes, prefixes, requests, spanMs } = figures
  const none = (kind: Answer['kind'], sentence: string): Answer => ({ kind, sentence, oneLineNanos: 0, bestNanos: 0 })
  const these = prefixes === 1 ? 'this prefix' : `these ${whole(prefixes)} prefixes`
  const factor = monthFactor(spanMs)
  const first = baseline(outcomes)
  if (factor === null || requests < LEAST.requests || first === undefined)
    return none('too_little', tooLittle(requests, spanMs))
  const from = `from ${days(spanMs)} of log`
  if (requests === prefixes)
    return none('never_returns', `Do not warm ${these}: each was used once and never again, ${from}.`)
  if (first.coldStarts === prefixes)
    return none('never_cold', `Do not warm ${these}: ${prefixes === 1 ? 'it never goes' : 'they never go'} cold.`)
  const gain = (one: Outcome | undefined): number =>
    one === undefined ? 0 : Math.max(0, saved(one, outcomes) * factor)
  const line = cheapest(outcomes, (one) => one.plan === 'nothing' && one !== first)
  const plan = cheapest(outcomes, (one) => one.plan !== 'nothing' && one.plan !== 'clairvoyant')
  const lineNanos = gain(line) < LEAST_GAIN_NANOS ? 0 : gain(line)
  const planNanos = gain(plan) < LEAST_GAIN_NANOS ? 0 : gain(plan)
  const more = planNanos - lineNanos
  const told = { oneLineNanos: lineNanos, bestNanos: Math.max(lineNanos, planNanos) }
  const most = figures.atMost ? 'at most ' : ''
  const valued = first.latencyNanos > 0 ? ', with the value of avoided cold starts' : ''
  const assumed = figures.assumed ? ', if the assumed retention holds' : ''
  const tail = `(${from}${valued}${assumed})`
  const colds = Math.round((first.coldStarts - prefixes) * factor)
  if (told.bestNanos === 0)
    return none(
      'no_gain',
      `Do not warm ${these}: ${prefixes === 1 ? 'it goes' : 'they go'} cold ${whole(colds)} times a month, and no plan earns more than it costs (${from}).`,
    )
  const oneLine = `\`ttl: ${line?.retention ?? ''}\``
  if (lineNanos > 0 && more < LEAST_GAIN_NANOS)
    return {
      ...told,
      kind: 'one_line',
      sentence: `One line, ${oneLine}, saves ${most}${dollars(lineNanos)} a month without Pilotlight, and no plan of Pilotlight saves more ${tail}.`,
    }
  const share = Math.floor((100 * lineNanos) / planNanos)
  if (share >= 50)
    return {
      ...told,
      kind: 'one_line',
      sentence: `One line, ${oneLine}, brings ${share} % of it without Pilotlight; Pilotlight (${planWords(plan)}) saves ${most}${dollars(more)} a month more ${tail}.`,
    }
  const less = lineNanos === 0 ? '' : ` One line, ${oneLine}, brings ${share} % of it without Pilotlight.`
  return {
    ...told,
    kind: 'warm',
    sentence: `Warm ${these} with ${planWords(plan)}: Pilotlight saves ${most}${dollars(planNanos)} a month ${tail}.${less}`,
  }
}

/** Answers for the whole log: that of its model, or the sum over its models, each with its own cheapest plan. */
export function wholeAnswer(result: Simulation): Answer {
  const { models, requests, unpriced } = result
  const without = unpriced.reduce((sum, one) => sum + one.requests, 0)
  const each = models.map((model) => answerOf(modelFigures(model, result)))
  const oneLineNanos = each.reduce((sum, one) => sum + one.oneLineNanos, 0)
  const bestNanos = each.reduce((sum, one) => sum + one.bestNanos, 0)
  if (each.length === 0 || without * 2 > requests) {
    const named = [...new Set(unpriced.map(({ provider, model }) => model ?? provider ?? 'a log without model names'))]
    const share = requests === 0 ? 100 : Math.floor((100 * without) / requests)
    const sentence = `Nothing can be said of the whole: the price of ${share} % of the requests is unknown (${named.slice(0, 3).join(', ')}). Give it with --prices PROVIDER/MODEL.`
    return { kind: 'unknown_price', sentence, oneLineNanos, bestNanos }
  }
  const only = each[0]
  if (only !== undefined && each.length === 1) return only
  const span = result.toAt - result.fromAt
  const gaining = each.filter((one) => one.bestNanos > 0)
  const of = `${gaining.length} of ${each.length} models`
  if (gaining.length === 0) {
    const enough = each.filter(({ kind }) => kind !== 'too_little')
    if (enough.length === 0) return { kind: 'too_little', sentence: tooLittle(requests, span), oneLineNanos, bestNanos }
    const never = enough.every(({ kind }) => kind === 'never_cold')
    const why = never ? 'no prefix goes cold' : 'no plan earns more than it costs'
    const left = each.length - enough.length
    const also = left === 0 ? '' : ` ${counted(left)} not enough requests to tell.`
    const sentence = `Do not warm: with ${enough.length === each.length ? 'all' : enough.length} of ${each.length} models ${why}.${also}`
    return { kind: never ? 'never_cold' : 'no_gain', sentence, oneLineNanos, bestNanos }
  }
  const most = models.some(({ wholePrompts }) => wholePrompts > 0) ? 'at most ' : ''
  const more = bestNanos - oneLineNanos
  const tail = `(from ${days(span)} of log)`
  if (more < LEAST_GAIN_NANOS)
    return {
      kind: 'one_line',
      sentence: `One line each saves ${most}${dollars(oneLineNanos)} a month with ${of} without Pilotlight, and no plan of Pilotlight saves more ${tail}.`,
      oneLineNanos,
      bestNanos,
    }
  const share = Math.floor((100 * oneLineNanos) / bestNanos)
  if (share >= 50)
    return {
      kind: 'one_line',
      sentence: `One line each, with ${of}, brings ${share} % of it without Pilotlight; Pilotlight saves ${most}${dollars(more)} a month more ${tail}.`,
      oneLineNanos,
      bestNanos,
    }
  const less = oneLineNanos === 0 ? '' : ` One line each brings ${share} % of it without Pilotlight.`
  return {
    kind: 'warm',
    sentence: `Warm the prefixes of ${of}, each with its cheapest plan: it saves ${most}${dollars(bestNanos)} a month ${tail}.${less}`,
    oneLineNanos,
    bestNanos,
  }
}

export function modelFigures(model: ModelResult, { fromAt, toAt }: Simulation): Figures {
  const { outcomes, prefixes, requests, wholePrompts, retentions } = model
  const assumed = retentions.some((one) => one.assumed)
  return { outcomes, prefixes, requests, spanMs: toAt - fromAt, atMost: wholePrompts > 0, assumed }
}

export function prefixFigures(prefix: PrefixResult, model: ModelResult, result: Simulation): Figures {
  const { outcomes, requests, wholePrompt } = prefix
  return { ...modelFigures(model, result), outcomes, prefixes: 1, requests, atMost: wholePrompt }
}

function tooLittle(requests: number, spanMs: number): string {
  return (
    `Not enough to tell: ${whole(requests)} ${requests === 1 ? 'request' : 'requests'} in ${days(spanMs)}. ` +
    `At least ${LEAST.requests} requests in a log of ${days(LEAST.spanMs)} are needed.`
  )
}

function counted(models: number): string {
  return models === 1 ? '1 model has' : `${models} models have`
}

function planWords(plan: Outcome | undefined): string {
  return plan === undefined ? '' : `the plan ${planName(plan)}`
}

function cheapest(outcomes: readonly Outcome[], wanted: (one: Outcome) => boolean): Outcome | undefined {
  const burden = ({ costNanos, latencyNanos }: Outcome): number => costNanos + latencyNanos
  return outcomes
    .filter(wanted)
    .reduce<Outcome | undefined>(
      (least, one) => (least === undefined || burden(one) < burden(least) ? one : least),
      undefined,
    )
}
