import { failureValue } from '../../contract/failure.ts'
import type { FailureValue } from '../../contract/failure.ts'
import type { ModelFacts } from '../model/facts.ts'
import { dollars } from '../model/price.ts'
import type { Usage } from '../model/usage.ts'
import { MINUTE_MS } from '../time/time.ts'
import { readShare } from './read-share.ts'
import { checksFor, writtenRetentions } from './required.ts'

/** What the latest calls of a conversation proved of its cache. */
export interface CacheProof {
  /** Start of the last call that read or may have written the entry. */
  at: number
  /** Tokens of the entry; null: not known. */
  tokens: number | null
  /** Consecutive calls, up to that one, that proved neither a read nor a write. */
  open: number
}

/** One answered call of a turn, and what was asked of it. */
export interface JudgedCall {
  usage: Usage
  /** Start of the call. */
  at: number
  retention: string
  facts: ModelFacts
  /** Whether the prefix ends where the prompt does, but for a few words. False: its size is not known from the answer. */
  whole: boolean
  before: CacheProof | undefined
}

/** `after`: the proof for the next call. `broken`: why the required cache was not honoured; null: it was, or the next call shows. */
export interface TurnVerdict {
  after: CacheProof | undefined
  broken: string | null
}

/**
 * What one answer proves of the cache of a conversation. It must show a read, or a write at the retention that was asked for. Where
 * writes are not reported, a call that read nothing may have been the write: a later one, within the life of that entry, decides.
 */
export function judgeTurnCall(call: JudgedCall): TurnVerdict {
  const { usage, retention, facts, before } = call
  const { cacheReadTokens: read, cacheWriteTokens: written, inputTokens } = usage
  const writtenAt = writtenRetentions(usage)
  const other = writtenAt.find((name) => name !== retention)
  const broken = (why: string): TurnVerdict => ({ after: before, broken: why })
  if (other !== undefined) return { ...honoured(call), broken: `it was written at ${other} instead of ${retention}` }
  if (read === null && written === null && facts.writesReported)
    return broken('the answer did not report cached tokens')
  if ((written ?? 0) > 0) return honoured(call)
  if (readsEnough(call)) return honoured(call)
  if (facts.writesReported && written !== null) return broken('the provider read and wrote nothing')
  if (inputTokens !== null && facts.minimumTokens !== null && inputTokens < facts.minimumTokens) {
    return broken(`the prompt has ${inputTokens} tokens, and this model caches from ${facts.minimumTokens} on`)
  }
  const open = 1 + (isAlive(call) ? (before?.open ?? 0) : 0)
  const after = { at: call.at, tokens: call.whole ? inputTokens : null, open }
  const said = read === null ? 'the answer did not report cached tokens' : `${read} tokens were read`
  const isDecided = isAlive(call) && (before?.open ?? 0) >= checksFor(facts)
  return { after, broken: isDecided ? `${said}, and the call before it left an entry to read` : null }
}

function honoured({ usage, at, whole }: JudgedCall): TurnVerdict {
  const counted = (usage.cacheReadTokens ?? 0) + (usage.cacheWriteTokens ?? 0)
  const tokens = usage.cacheWriteTokens === null ? (whole ? usage.inputTokens : null) : counted
  return { after: { at, tokens, open: 0 }, broken: null }
}

/** Whether the call read the entry before it, and not only a beginning that other prompts share. */
function readsEnough({ usage, facts, before, whole }: JudgedCall): boolean {
  const read = usage.cacheReadTokens ?? 0
  // Where writes are reported, an answer that wrote nothing read all that there was to read.
  if (read <= 0 || facts.writesReported || !whole) return read > 0
  const share = readShare(read, before?.tokens ?? 0, facts.blockTokens)
  return share === 'most' || share === 'whole'
}

/** Whether the entry before certainly lives still. Where no life is known it is believed for a minute. */
function isAlive({ at, retention, facts, before }: JudgedCall): boolean {
  if (before === undefined) return false
  const offer = facts.retentions.find(({ name }) => name === retention)
  const ttlMs = offer === undefined ? MINUTE_MS : offer.assumed ? offer.minTtlMs : offer.ttlMs
  return at - before.at < ttlMs
}

/** The failure of a turn whose required cache was not honoured. `nanos`: cost of its calls; null: unknown. */
export function turnNotHonoured(
  why: string,
  { usage, retention }: Pick<JudgedCall, 'usage' | 'retention'>,
  nanos: number | null,
): FailureValue {
  const cost = nanos === null ? 'Its cost is not known.' : `It cost ${dollars(nanos)}.`
  return failureValue('cache_not_honoured', `The cache was required, but ${why}. The answer is dropped. ${cost}`, {
    asked: retention,
    cached_input_tokens: usage.cacheReadTokens,
    cache_write_input_tokens: usage.cacheWriteTokens,
    cache_write_retentions: writtenRetentions(usage),
  })
}
