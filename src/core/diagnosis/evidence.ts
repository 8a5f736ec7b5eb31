import type { RetentionKind } from '../model/facts.ts'
import type { Usage } from '../model/usage.ts'
import type { Verdict } from './verdicts.ts'

/** A place at which two requests differ, in an excerpt of each. `at`: UTF-16 units from the beginning of the value at `path`. */
export interface Difference {
  path: string
  at: number
  before: string
  after: string
}

/** A difference in what the provider compares. */
export interface Change extends Difference {
  verdict: Verdict
  confidence: number
  /** Share of the earlier prompt that stands in front of it, from 0 to 1. */
  share: number
}

/** What two bodies show. */
export interface ByteEvidence {
  /** Differences within what the later request should have read, in the order in which the provider renders them. */
  changes: readonly Change[]
  /** Share of the earlier prompt that both begin with. */
  sharedShare: number
  /** Share of the earlier prompt up to the longest entry that the later request has unchanged and can find. */
  readableShare: number
  /** Share of the earlier prompt up to the longest entry that it left; 0: it left none. */
  entryShare: number
  /** True: entries end at markers alone, so that a marked head is read whatever follows it. */
  byMarkers: boolean
  /** What hinders a read although the bytes are the same. */
  placement: { verdict: Verdict; confidence: number; path: string } | null
  /** What chooses the machine or the cache: keys, headers, providers. */
  routing: readonly Change[]
  /** Sentences: differences that the provider does not compare. */
  ignored: readonly string[]
  /** Estimated tokens of the earlier prompt, by its bytes. */
  promptTokens: number
  /** Estimated tokens of what both begin with. */
  sharedTokens: number
}

/** What is known of one request beside its body. Null: not told. */
export interface Sent {
  startedAt: number | null
  firstTokenAt: number | null
  /** Null: none was given. */
  usage: Usage | null
  /** The counts contradict each other, or no prompt can have them. */
  impossible: boolean
  /** The usage names no count of cached tokens, which its provider leaves out where it is 0. */
  unsaid: boolean
  status: number | null
  credential: string | null
  /** The provider behind a router. */
  upstream: string | null
  responseId: string | null
  /** Lifetime in ms that its markers ask for. */
  askedTtlMs: number | null
  /** Its body begins with what the first request sent; null: it has none. */
  samePrefix: boolean | null
}

/** What the provider itself says of a miss. */
export interface Reported {
  /** The verdict that its reason stands for; null: it compared and found nothing, or has no answer. */
  verdict: Verdict | null
  /** Its own word. */
  reason: string
  missedTokens: number | null
  /** It states that the cache was read. */
  hit: boolean
}

/** Facts about the model at its provider. */
export interface CacheFacts {
  minimumTokens: number | null
  writesReported: boolean
  /** Kind and lifetime of the entry that the first request left. Null: not known. */
  kind: RetentionKind | null
  ttlMs: number | null
  /** Requests in `everyMs` beyond which the provider uses a further machine. */
  spill: { requests: number; everyMs: number } | null
  blockTokens: number
}

export interface Case {
  before: Sent
  between: readonly Sent[]
  after: Sent
  bytes: ByteEvidence | null
  reported: Reported | null
  facts: CacheFacts
}

export interface Witness {
  kind: 'bytes' | 'usage' | 'clock' | 'provider'
  says: string
}

/** The answer. `lostTokens`: tokens that were paid anew; null: not known. */
export interface Diagnosis {
  verdict: Verdict
  confidence: number
  /** It read less than it could have; null: the counts do not show it. */
  isMiss: boolean | null
  first: Difference | null
  lostTokens: number | null
  witnesses: readonly Witness[]
  others: readonly { verdict: Verdict; confidence: number }[]
}
