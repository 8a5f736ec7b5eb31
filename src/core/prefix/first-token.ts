/**
 * Measured times to the first token in ms, the latest last, at most `KEPT` of each: of real requests that read the prefix (`warm`) and
 * that did not (`cold`), of all of them (`all`), and of our own calls. A call of ours ends with its first token, so its whole time counts.
 */
export interface FirstTokenTimes {
  warm: readonly number[]
  cold: readonly number[]
  all: readonly number[]
  probeWarm: readonly number[]
  probeCold: readonly number[]
}

type Kind = keyof FirstTokenTimes

/** Times kept of each kind. A row of state holds five kinds, and is read for each decision. */
const KEPT = 32
/** Real requests with a time before they stand for the prefix instead of our own calls. */
const ENOUGH = 3

const NO_TIMES: FirstTokenTimes = { warm: [], cold: [], all: [], probeWarm: [], probeCold: [] }

/** Adds one time to each of the kinds; `before` absent: nothing was measured yet. */
export function addFirstToken(
  before: FirstTokenTimes | undefined,
  ms: number,
  kinds: readonly Kind[],
): FirstTokenTimes {
  const times: Record<Kind, readonly number[]> = { ...NO_TIMES, ...before }
  for (const kind of kinds) times[kind] = [...times[kind], Math.round(ms)].slice(-KEPT)
  return times
}

/** Times to the first token of one kind, and who measured them. */
export interface Measured {
  timesMs: readonly number[]
  from: 'requests' | 'probes'
}

/** What is known of the time to the first token with the entry warm, or cold; null: nothing. */
export function measuredFirstToken(times: FirstTokenTimes | undefined, kind: 'warm' | 'cold'): Measured | null {
  if (times === undefined) return null
  const own = kind === 'warm' ? times.probeWarm : times.probeCold
  if (times[kind].length >= ENOUGH || own.length === 0)
    return times[kind].length === 0 ? null : { timesMs: times[kind], from: 'requests' }
  return { timesMs: own, from: 'probes' }
}

/** The median in ms; the lower one of two. */
export function medianMs({ timesMs }: Measured): number {
  return timesMs.toSorted((a, b) => a - b)[Math.ceil(timesMs.length / 2) - 1] ?? 0
}

/** The share of the times that are within `ms`, 0 to 1. */
export function shareWithin(timesMs: readonly number[], ms: number): number {
  return timesMs.filter((one) => one <= ms).length / timesMs.length
}
