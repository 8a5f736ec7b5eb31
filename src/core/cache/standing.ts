import type { Price } from '../model/facts.ts'
import type { PrefixState } from '../prefix/state.ts'
import type { Belief } from './belief.ts'
import { nextRequest } from './next-request.ts'

type Told = Pick<Belief, 'state' | 'pWarm' | 'warmUntil'> & { interval: readonly number[] }

/** What an account believes of a registered prefix, for the calls that begin with it. */
export interface Standing {
  id: string
  /** The lookup by which it was found. */
  entry: string
  /** When the account said it, epoch ms. */
  at: number
  provider: string
  /** The model whose facts hold for it. */
  model: string
  belief: Told
  /** The belief once a call has read or written it that began at `at`; null: none can. */
  reached: Told | null
  size: Pick<PrefixState, 'measuredTokens' | 'longer' | 'realWrites'>
  estimatedTokens: number
  /** Name of the retention in force. */
  retention: string
}

/** The state once a request that begins at `now` has read or written the entry. Null: no request can, or its retention is not known. */
export function reachedState(state: PrefixState, now: number): PrefixState | null {
  if (state.verdict === 'uncacheable' || state.retention === null) return null
  const { drift: _drift, inside: _inside, ...rest } = state
  return { ...rest, verdict: 'warm', anchorAt: now }
}

/** What the next request of a prefix meets. */
export interface Warmth {
  state: Belief['state']
  until: number | null
  /** Expected cost of the prefix in it, and its cost where it is cold, in nano-dollars; null: the price is not known. */
  nextNanos: number | null
  coldNanos: number | null
}

/** What the next request meets at `now`, after a call that began at `startedAt` was answered. `reads`, `writes`: what that call can do to the entry. */
export function warmthAfter(
  standing: Standing,
  call: { startedAt: number; reads: boolean; writes: boolean },
  price: Price | null,
  now: number,
): Warmth {
  const { belief, reached, at, size, estimatedTokens, retention } = standing
  const wasThere = belief.warmUntil !== null && call.startedAt < belief.warmUntil && belief.state !== 'cold'
  const isReached = reached !== null && (call.writes || (call.reads && wasThere))
  const told = isReached ? reached : belief
  const until = told.warmUntil === null ? null : isReached ? told.warmUntil - at + call.startedAt : told.warmUntil
  const isOver = until !== null && now >= until && told.state !== 'uncacheable'
  const cost = nextRequest(size, isOver ? OVER : told, { price, estimatedTokens, retention })
  return {
    state: isOver ? 'cold' : told.state === 'expiring' && isReached ? 'warm' : told.state,
    until: isOver || told.state === 'cold' ? null : until,
    nextNanos: cost?.expected ?? null,
    coldNanos: cost?.cold ?? null,
  }
}

/** An entry whose retention ended since the account was asked. */
const OVER = { pWarm: 0, interval: [0, 0] }
