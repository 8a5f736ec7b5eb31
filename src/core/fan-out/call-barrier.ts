/**
 * A barrier before calls that pass through the gateway. Nobody registered their prefixes, so each end of a body at which an entry can lie stands for
 * one. A call waits while another one writes something that it could read, and leads whatever it writes itself.
 */
export interface CallEnd {
  /** Name of the entry that ends here. */
  entry: string
  /** Estimated tokens up to here. */
  tokens: number
  /** Whether the call writes an entry here where there is none. */
  isWritten: boolean
}

/** What is known of the entry at an end. */
export type Known = 'readable' | 'led' | 'cold'

/** `pass`: the call goes at once, leads the entries `leads`, and reads that of `reads` (null: it is the first). `wait`: until the entry `at` changes. */
export type CallStep = { do: 'pass'; leads: string[]; reads: string | null } | { do: 'wait'; at: string }

/** Real requests are not held for less than this: the least that a provider caches in most cases. */
export const WORTH_TOKENS = 1_024
/** Time after which a leader without a first token is replaced: half of `WAIT_MS`, so that callers who wait see a second one. */
export const LEAD_MS = 10_000
/** Longest wait of a call: the usual time of a lease, and less than clients wait for a first byte. */
export const WAIT_MS = 2 * LEAD_MS

/** The step of a call with these ends, the longest first, all of them long enough for the model's cache. */
export function callStep(ends: readonly CallEnd[], knownOf: (entry: string) => Known): CallStep {
  const known = ends.map((end) => ({ ...end, known: knownOf(end.entry) }))
  const read = known.find((end) => end.known === 'readable')
  const beyond = known.filter(({ tokens }) => read === undefined || tokens - read.tokens >= WORTH_TOKENS)
  const led = beyond.find((end) => end.known === 'led')
  if (led !== undefined) return { do: 'wait', at: led.entry }
  const leads = beyond.flatMap(({ entry, isWritten }) => (isWritten ? [entry] : []))
  return { do: 'pass', leads, reads: read?.entry ?? null }
}

/** A call at the barrier of the gateway, as its account is asked. */
export interface CallWish {
  /** The longest first. Their entries are lookups. */
  ends: readonly CallEnd[]
  /** How long an entry that the call writes can be read at least, from its start. Null: not known. */
  ttlMs: number | null
  /** How long it may be kept waiting. */
  waitMs: number
}

/** What becomes of it. `wait`: the time ran out while another call was writing. */
export interface CallAnswer {
  role: 'first' | 'ready' | 'wait'
  /** With which it tells whether its answer began; null: nobody waits for that. */
  lease: string | null
  /** The entry that it reads, and until when that is known to be there; null: none. */
  reads: { entry: string; untilAt: number } | null
  /** How many calls came together, with the one that it waited for; 1: it waited for none. */
  of: number
}
