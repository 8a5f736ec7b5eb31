import { failureValue } from '../../contract/failure.ts'
import type { FailureValue } from '../../contract/failure.ts'
import type { ModelFacts } from '../model/facts.ts'
import type { Usage } from '../model/usage.ts'
import type { ReceiptKind } from '../prefix/receipt.ts'

/** What a caller with `required` asked for. */
export interface Asked {
  retention: string
  /** Lifetimes of its markers, where they have several: each may be written. Absent: `retention` alone. */
  layout?: string[]
  /** Whether this provider counts written tokens in its answers. */
  writesReported: boolean
  /** How many more calls may be made to settle an open answer. */
  checksLeft: number
}

/** `check`: this answer proved neither, so one more call decides. */
export type Verdict = { kind: 'honoured' } | { kind: 'check'; why: string } | { kind: 'broken'; why: string }

/** The receipt of one answer, as far as it is judged. */
export interface Judged {
  kind: ReceiptKind
  usage: Usage
  why: string
}

/**
 * Whether an answer shows that a required cache was honoured. It must show a read of the whole prefix, or a write at the
 * retention that was asked for. A partial read leaves the rest open. Where writes are not reported, an answer that read
 * nothing may have been the write.
 */
export function judgeRequired(receipt: Judged, asked: Asked): Verdict {
  const { kind, usage, why } = receipt
  const writtenAt = writtenRetentions(usage)
  const terms = asked.layout ?? [asked.retention]
  if (writtenAt.some((name) => !terms.includes(name))) {
    return { kind: 'broken', why: `written at ${writtenAt.join(' and ')} instead of ${terms.join(' and ')}` }
  }
  if (kind === 'full' || kind === 'written') return { kind: 'honoured' }
  // A provider that reports writes means unknown by a missing count; others may leave it out where it is 0.
  const silent = kind === 'unknown' && usage.cacheReadTokens === null && asked.writesReported
  const isOpen = kind === 'partial' || (kind === 'unknown' && !silent)
  return isOpen && asked.checksLeft > 0 ? { kind: 'check', why } : { kind: 'broken', why }
}

/** How many consecutive answers may leave it open before the next one must decide. */
export function checksFor(facts: Pick<ModelFacts, 'probesToSeed'>): number {
  return Math.max(1, facts.probesToSeed ?? 1)
}

/**
 * Judges an answer to a call that no caller waits for, with the receipt before it. `doubts`: consecutive answers, up to that
 * one, that left it open. Null: the requirement is not broken.
 */
export function judgedInTurn(
  receipt: Judged,
  before: Judged | null,
  asked: Asked,
  doubts: number,
): Extract<Verdict, { kind: 'broken' }> | null {
  const isOpen = before !== null && judgeRequired(before, asked).kind === 'check'
  const checksLeft = Math.max(0, asked.checksLeft - (isOpen ? Math.max(1, doubts) : 0))
  const verdict = judgeRequired(receipt, { ...asked, checksLeft })
  return verdict.kind === 'broken' ? verdict : null
}

/** Names of the retentions at which an answer wrote. */
export function writtenRetentions({ cacheWriteByRetention }: Usage): string[] {
  return Object.keys(cacheWriteByRetention).filter((name) => cacheWriteByRetention[name]! > 0)
}

/** The failure `cache_not_honoured`: what was asked and what was seen. `verified`: whether another call was sent to make sure. */
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
    cache_write_retentions: writtenRetentions(usage),
    verified,
  })
}
