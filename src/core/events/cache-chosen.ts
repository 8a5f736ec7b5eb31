import { OWN_CACHE } from '../prefix/parts.ts'
import type { CacheUse } from '../prefix/parts.ts'
import type { PrefixState, Transition } from '../prefix/state.ts'
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../time/time.ts'

/** Beyond this many requests, older ones count half. */
const REMEMBERED = 200
/** Sizes of reads that are remembered. */
const OWN_READS = 8
/** Requests without the handle, and time since its creation, after which it ends if no request referred to it. */
const LEAST_OTHERS = 5
const TRIAL_MS = 10 * MINUTE_MS
/** How long a managed cache lasts until the first request refers to it: it is never renewed for nobody. */
export const TRIAL_TTL_MS = 15 * MINUTE_MS
/** Wait after one that no request referred to, after one that could not be made, and after one that no longer pays. */
const AGAIN_MS = { unused: DAY_MS, failed: HOUR_MS, dearer: HOUR_MS, removed: DAY_MS } as const
const LONGEST_AGAIN_MS = 30 * DAY_MS

export type LeavingReason = keyof typeof AGAIN_MS | 'closed'

/** The planner keeps the prefix in a managed cache from now on. */
export function chosenManaged(state: PrefixState, cache: string, why: string, now: number): Transition {
  const { unused: _unused, ...use } = state.managed ?? OWN_CACHE
  const managed: CacheUse = { ...use, cache, sinceAt: now, why, referred: 0, others: 0 }
  const sentence = `kept in a managed cache from now on: ${why}. Real requests must refer to its handle, as handle_body of GET /prefixes/{id}/request shows`
  return {
    state: { ...state, managed },
    rows: [{ at: now, type: 'decision', decision: 'managed_cache', why: sentence }],
  }
}

/** The provider's own cache keeps the prefix again. `closed`: a caller decides, so nothing is tried again by itself. */
export function leftManaged(state: PrefixState, reason: LeavingReason, why: string, now: number): Transition {
  const { notBeforeAt: _before, failed = 0, unused: _unused, ...use } = state.managed ?? OWN_CACHE
  const isFailure = reason === 'unused' || reason === 'failed'
  const waits = reason === 'closed' ? null : AGAIN_MS[reason] * (isFailure ? 2 ** Math.min(failed, 20) : 1)
  const managed: CacheUse = {
    ...use,
    cache: null,
    sinceAt: now,
    why,
    ...(waits === null ? {} : { notBeforeAt: now + Math.min(LONGEST_AGAIN_MS, waits) }),
    ...(isFailure ? { failed: failed + 1 } : {}),
    ...(reason === 'unused' ? { unused: true as const } : {}),
  }
  // Requests that referred to the handle renewed nothing of the provider's own cache.
  const lapsed = use.referred > 0 ? { verdict: 'cold' as const } : {}
  const sentence = `kept in the provider's own cache again: ${why}`
  return {
    state: { ...state, ...lapsed, managed },
    rows: [{ at: now, type: 'decision', decision: 'own_cache', why: sentence }],
  }
}

/** Whether a request referred to the handle; null: its report does not tell. */
export type Referral = boolean | null

/** A real request as it is counted here: its start, what it read of the cache, and whether it referred to the handle. */
export interface CountedRequest {
  at: number
  /** Null: its usage does not say. */
  readTokens: number | null
  referral: Referral
}

/**
 * Counts real requests: whether those without a handle found the prefix in the provider's own cache, where the request before should have
 * left it there, and whether they referred to the handle. `before`: the state without them; `tokens`: size of the prefix.
 */
export function countedUse(
  before: PrefixState,
  after: PrefixState,
  requests: readonly CountedRequest[],
  tokens: number,
): PrefixState {
  const use = after.managed ?? OWN_CACHE
  let { found, missed, referred, others } = use
  let ownReads = use.ownReads ?? []
  const ttlMs = before.retention?.ttlMs ?? 0
  // Each request of the whole prompt leaves it there, also one that found nothing.
  let lastAt = Math.max(before.anchorAt ?? 0, before.lastArrivalAt ?? 0)
  for (const { at, readTokens, referral } of requests.toSorted((a, b) => a.at - b.at)) {
    if (use.cache !== null && referral !== null) [referred, others] = counted([referred, others], referral)
    if (referral === true) continue
    const isOwn = use.cache === null && readTokens !== null && readTokens > 0
    if (isOwn && !ownReads.includes(readTokens)) ownReads = [...ownReads, readTokens].slice(-OWN_READS)
    const isExpected = at > lastAt && at < lastAt + ttlMs
    if (isExpected && readTokens !== null) [found, missed] = counted([found, missed], readTokens >= tokens / 2)
    lastAt = Math.max(lastAt, at)
  }
  const { failed: _failed, ...sure } = use
  const reads = ownReads.length === 0 ? {} : { ownReads }
  return { ...after, managed: { ...(referred > 0 ? sure : use), found, missed, referred, others, ...reads } }
}

function counted([yes, no]: [number, number], is: boolean): [number, number] {
  return remembered(yes + (is ? 1 : 0), no + (is ? 0 : 1))
}

function remembered(one: number, other: number): [number, number] {
  const isMany = one + other > REMEMBERED
  return isMany ? [Math.round(one / 2), Math.round(other / 2)] : [one, other]
}

/** Why a handle that exists since `createdAt` ends although its time is not over: no request refers to it. Null: it stays. */
export function unusedWhy({ referred, others }: CacheUse, createdAt: number, now: number): string | null {
  if (referred > 0 || others < LEAST_OTHERS || now < createdAt + TRIAL_MS) return null
  return `none of ${others} real requests referred to its handle, so its storage earned nothing`
}
