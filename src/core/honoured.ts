import { failureValue } from '../contract/failures.ts'
import type { FailureValue } from '../contract/failures.ts'
import type { ReceiptKind, Usage } from './types.ts'

/** What a caller asked for who required the cache. */
export interface Asked {
  retention: string
  /** Whether this provider counts written tokens in its answers. */
  writesReported: boolean
  /** How many more calls may be made to settle a doubt. */
  checksLeft: number
}

/** `check`: one more call decides, because this one proved neither. */
export type Verdict = { kind: 'honoured' } | { kind: 'check'; why: string } | { kind: 'broken'; why: string }

/** What is judged: one answer, as its receipt says it. */
export interface Judged {
  kind: ReceiptKind
  usage: Usage
  why: string
}

/**
 * Whether an answer shows that a required cache was honoured. Only what is seen counts: a read of the whole prefix, or a write
 * of it at the retention that was asked for. A part that was read says nothing of the rest, and where writes are not reported
 * an answer that read nothing may have been the write.
 */
export function honoured(receipt: Judged, asked: Asked): Verdict {
  const { kind, usage, why } = receipt
  const writtenAt = retentionsOf(usage)
  if (writtenAt.some((name) => name !== asked.retention)) {
    return { kind: 'broken', why: `written at ${writtenAt.join(' and ')} instead of ${asked.retention}` }
  }
  if (kind === 'full' || kind === 'written') return { kind: 'honoured' }
  // Beside reported writes a missing count stays missing; elsewhere some leave it out where it is 0.
  const silent = kind === 'unknown' && usage.cacheReadTokens === null && asked.writesReported
  const isOpen = kind === 'partial' || (kind === 'unknown' && !silent)
  return isOpen && asked.checksLeft > 0 ? { kind: 'check', why } : { kind: 'broken', why }
}

function retentionsOf({ cacheWriteByRetention }: Usage): string[] {
  return Object.keys(cacheWriteByRetention).filter((name) => cacheWriteByRetention[name]! > 0)
}

/** `cache_not_honoured`: what was asked, and what was seen. `verified`: whether a call was sent to make sure. */
export function notHonoured(
  why: string,
  receipt: Judged,
  asked: Asked,
  prefixId: string,
  verified: boolean,
): FailureValue {
  const { usage } = receipt
  return failureValue('cache_not_honoured', `${why.replace(/\.$/, '')}. The prefix stays registered.`, {
    prefix_id: prefixId,
    asked: asked.retention,
    seen: receipt.kind,
    cached_input_tokens: usage.cacheReadTokens,
    cache_write_input_tokens: usage.cacheWriteTokens,
    cache_write_retentions: retentionsOf(usage),
    verified,
  })
}
