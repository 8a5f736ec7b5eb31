import type { Outcome } from './outcomes.ts'
import type { ModelResult, Retention } from './simulation.ts'
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../../core/time/time.ts'

/** Formats figures and names, for the terminal and for the page. */

export function dollars(nanos: number): string {
  const usd = Math.abs(nanos) / 1e9
  const sign = nanos < 0 ? '-' : ''
  if (usd === 0) return '$0'
  const digits = usd >= 1_000 ? 0 : usd >= 1 ? 2 : usd >= 0.01 ? 3 : Math.min(9, 1 - Math.floor(Math.log10(usd)))
  return `${sign}$${usd.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits })}`
}

export const whole = (count: number): string => count.toLocaleString('en-US')

export function day(at: number): string {
  return new Date(at).toISOString().slice(0, 10)
}

export function days(ms: number): string {
  if (ms < HOUR_MS) return `${Math.round(ms / MINUTE_MS)} min`
  return ms < 2 * DAY_MS ? `${(ms / HOUR_MS).toFixed(1)} hours` : `${(ms / DAY_MS).toFixed(1)} days`
}

const WORDS = {
  nothing: 'nothing',
  break_even: 'break-even',
  auto: 'auto',
  always: 'always',
  auto_choosing: 'auto at its choice',
  clairvoyant: 'clairvoyant',
} as const

/** Names a plan with its retention: `auto at 1h`. */
export function planName({ plan, retention }: Pick<Outcome, 'plan' | 'retention'>): string {
  return retention === null ? WORDS[plan] : `${WORDS[plan]} at ${retention}`
}

export function retentionWords({ name, assumed }: Retention): string {
  return assumed ? `${name} (assumed)` : name
}

/** Outcome that the others are compared with: the default retention without probes. */
export function baseline(outcomes: readonly Outcome[]): Outcome | undefined {
  return outcomes[0]
}

/** Saving of a plan in comparison with no probes. It includes the value of avoided cold starts if one was given. */
export function saved(outcome: Outcome, outcomes: readonly Outcome[]): number {
  const first = baseline(outcomes)
  return first === undefined ? 0 : burden(first) - burden(outcome)
}

const burden = ({ costNanos, latencyNanos }: Outcome): number => costNanos + latencyNanos

/** Returns the cheapest plan; among equal ones the first, which does the least. */
export function best(outcomes: readonly Outcome[]): Outcome | undefined {
  return outcomes
    .filter(({ plan }) => plan !== 'clairvoyant')
    .reduce<Outcome | undefined>(
      (least, one) => (least === undefined || burden(one) < burden(least) ? one : least),
      undefined,
    )
}

/** Summarises the figures of a model in a sentence. */
export function verdict({ outcomes }: Pick<ModelResult, 'outcomes'>): string {
  const [first, least, bound] = [baseline(outcomes), best(outcomes), outcomes.at(-1)]
  if (first === undefined || least === undefined || bound === undefined) return ''
  const reach = `The lowest possible cost is ${dollars(bound.costNanos)}.`
  if (least === first) return `No plan costs less than ${planName(first)}, ${dollars(first.costNanos)}. ${reach}`
  const gain = saved(least, outcomes)
  const share = burden(first) === 0 ? 0 : Math.round((100 * gain) / burden(first))
  const how = least.plan === 'nothing' ? `written at ${least.retention} and never probed` : planName(least)
  return `Cheapest: ${how}, ${dollars(least.costNanos)}. It saves ${dollars(gain)} (${share} %) against ${planName(first)}. ${reach}`
}

/** Cost of the longest bar. `always` may cost many times the rest; its bar is then cut. */
export function scaleOf(outcomes: readonly Outcome[]): number {
  const most = (list: readonly Outcome[]): number => Math.max(0, ...list.map(({ costNanos }) => costNanos))
  return Math.min(most(outcomes), 1.5 * most(outcomes.filter(({ plan }) => plan !== 'always')))
}

export function isClipped({ costNanos }: Outcome, scale: number): boolean {
  return costNanos > scale * 1.0001
}
