import type { Forecast } from '../demand/forecast.ts'
import { SHORTEST_GAP_MS } from '../demand/idle-gaps.ts'

/** One way to keep a prefix: a retention with its prices for this prefix, all in one unit of money. */
export interface Holding {
  name: string
  ttlMs: number
  /** Time from one probe to the next: the retention less the lead. */
  everyMs: number
  write: number
  read: number
  probe: number
}

export interface Choice {
  holding: Holding
  /** Probes in this gap at the most, then it is let go. */
  probes: number
  /** What the gap is expected to cost above a plain read. */
  expected: number
  /** Share of gaps that it outlasts, of those that the retention alone does not. */
  share: number
}

/** However much a cold start is worth: at five minutes of retention this many take a month. */
const MOST_PROBES = 10_000

/**
 * The ski-rental cap: probes of one gap never cost more together than the one rewrite they protect. 0: no probe can pay.
 * `latencyValue` is what one avoided cold start is worth beside the money.
 */
export function mostProbes(holding: Holding, latencyValue: number): number {
  const lapse = holding.write - holding.read + latencyValue
  if (!(holding.probe > 0) || !(lapse > 0) || !Number.isFinite(lapse)) return 0
  return Math.min(MOST_PROBES, Math.floor(lapse / holding.probe + 1e-9))
}

/** The longest gap that the probes of one gap can hold it through: what may come later does not matter to it. */
export function reachOf(holding: Holding, latencyValue: number): number {
  return holding.ttlMs + mostProbes(holding, latencyValue) * holding.everyMs
}

/**
 * How many probes, at the least expected cost, for an entry that is held this way. A foresight says nothing of gaps shorter than
 * `SHORTEST_GAP_MS`: a retention shorter than that is held through them, within the cap, before it can matter.
 */
export function horizon(holding: Holding, foresight: Forecast, latencyValue: number): Choice {
  const most = mostProbes(holding, latencyValue)
  const lapse = holding.write - holding.read + latencyValue
  // By the number of probes that a gap needs: its weight, and the probes it would take if more were allowed.
  const needs = new Float64Array(most + 2)
  const sent = new Float64Array(most + 2)
  foresight.lengthsMs.forEach((length, index) => {
    const weight = foresight.weights[index] ?? 0
    const need = Math.max(0, Math.ceil((length - holding.ttlMs) / holding.everyMs))
    const takes = Math.max(0, Math.ceil(length / holding.everyMs) - 1)
    needs[Math.min(need, most + 1)] = (needs[Math.min(need, most + 1)] ?? 0) + weight
    sent[Math.min(takes, most + 1)] = (sent[Math.min(takes, most + 1)] ?? 0) + weight
  })
  let beyond = 1 - (needs[0] ?? 0)
  let waiting = 1 - (sent[0] ?? 0)
  let paid = 0
  let best = { probes: 0, expected: beyond * lapse, share: 0 }
  const need = beyond
  const least = Math.min(most, Math.max(0, Math.ceil((SHORTEST_GAP_MS - holding.ttlMs) / holding.everyMs)))
  for (let probes = 1; probes <= most; probes++) {
    paid += waiting * holding.probe
    waiting -= sent[probes] ?? 0
    beyond -= needs[probes] ?? 0
    const expected = paid + Math.max(0, beyond) * lapse
    if (probes <= least || expected < best.expected - 1e-9 * lapse) {
      best = { probes, expected, share: need <= 0 ? 0 : 1 - Math.max(0, beyond) / need }
    }
  }
  return { holding, ...best }
}

/** A shorter retention has to promise a gap's cost cheaper by so much: of the longer one, less hangs on what was learned. */
const SHORTER_AT = 0.95

/** One that is written already is left only for one that is cheaper by so much: callers' markers have to follow it. */
const LEFT_AT = 0.95

/**
 * Which retention to write, of those that the provider offers and honours: the least expected cost of a gap. `standing`: the name of
 * the one that was written so far.
 */
export function retentionFor(
  holdings: readonly Holding[],
  foresight: Forecast,
  latencyValue: number,
  standing?: string,
): Choice | null {
  let best: Choice | null = null
  let kept: Choice | null = null
  for (const holding of holdings.toSorted((a, b) => b.ttlMs - a.ttlMs)) {
    const choice = horizon(holding, foresight, latencyValue)
    if (holding.name === standing) kept = choice
    if (best === null || choice.expected < SHORTER_AT * best.expected) best = choice
  }
  return kept !== null && best !== null && best.expected >= LEFT_AT * kept.expected ? kept : best
}

/** Why no probe follows the `sent` ones of a gap, in a sentence. */
export function letGoWhy(choice: Choice, foresight: Forecast, sent: number, latencyValue: number): string {
  const { holding, probes } = choice
  if (probes === 0) return choiceWhy(choice, foresight)
  const after = `held at ${holding.name}, and let go after ${sent === 1 ? 'one probe' : `${sent} probes`}`
  if (probes >= mostProbes(holding, latencyValue))
    return `${after}: with more they would cost more than the rewrite that they protect`
  const what = sent > probes ? `more than ${probes} cost more than they are` : 'one more would cost more than it is'
  return `${after}: ${what} expected to save, by ${gapWords(foresight)}`
}

/** Which gaps speak: of its own those that are remembered, beside those of like traffic. */
export function gapWords({ gapCount }: Pick<Forecast, 'gapCount'>): string {
  if (gapCount === 0) return 'gaps of like traffic'
  return `its last ${gapCount === 1 ? 'gap' : `${gapCount} gaps`} and those of like traffic`
}

/** The choice in a sentence. */
export function choiceWhy({ holding, probes, share }: Choice, foresight: Forecast): string {
  const from = gapWords(foresight)
  if (probes === 0) return `written at ${holding.name} and let go: by ${from}, no probe earns back what it costs`
  const count = probes === 1 ? 'one probe costs' : `up to ${probes} probes cost`
  return `held at ${holding.name}: ${count} less than the rewrite that ${Math.round(share * 100)} % of longer gaps would need, by ${from}`
}
