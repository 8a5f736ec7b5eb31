import { VERDICTS } from './verdicts.ts'
import type { Verdict } from './verdicts.ts'
import type { Case, Change, Diagnosis, Sent, Witness } from './evidence.ts'
import { clockCandidates, gapOf, providerCandidates } from './timing.ts'
import type { Candidate } from './timing.ts'
import { SECOND_MS } from '../time/time.ts'

/** Estimates of tokens are this far off at most, as a factor. */
const ESTIMATE_FACTOR = 1.5
/** Fewer tokens than these are no loss: the ends of requests differ, and caches keep whole blocks. */
const NO_LOSS_TOKENS = 256

/** Finds why the later request did not read what the earlier one left. Pure. */
export function diagnose(given: Case): Diagnosis {
  const reading = readingOf(given)
  const witnesses = witnessesOf(given, reading)
  const told = (
    { verdict, confidence }: Candidate,
    candidates: readonly Candidate[] = [],
    first: Change | null = null,
  ): Diagnosis => ({
    verdict,
    confidence: rounded(confidence),
    isMiss: verdict === 'no_miss' ? false : reading.isMiss,
    first: first === null ? null : { path: first.path, at: first.at, before: first.before, after: first.after },
    lostTokens: verdict === 'no_miss' ? 0 : reading.lost,
    witnesses,
    others: distinct(candidates, verdict).map((one) => ({ ...one, confidence: rounded(one.confidence) })),
  })

  const { bytes } = given
  const accounting = accountingOf(given, reading)
  if (given.after.impossible) return told({ verdict: 'misread_usage', confidence: 0.93 })
  if (bytes?.placement?.verdict === 'too_many_markers') return told(bytes.placement)
  if ((given.after.status ?? 200) >= 400) return told({ verdict: 'unknown', confidence: 0.9 })
  const small = belowMinimum(given)
  if (reading.read === 0 && small !== null && small.confidence >= 0.9) return told(small)
  if (reading.isMiss === false) return told({ verdict: 'no_miss', confidence: reading.sure })

  const causes = candidatesOf(given, reading)
  const [main, ...rest] = causes
  if (accounting !== null && (main === undefined || main.kind !== 'bytes')) return told(accounting, causes)
  if (main === undefined) {
    if (reading.isMiss === null && isUnremarkable(given)) return told({ verdict: 'no_miss', confidence: reading.sure })
    return told({ verdict: 'unknown', confidence: 0.9 })
  }
  // Two independent causes, each of which would do: nothing decides between them.
  const rival = rest.find(({ kind, confidence }) => kind !== main.kind && confidence >= 0.7)
  if (rival !== undefined && main.confidence - rival.confidence < 0.5) {
    return told({ verdict: 'unknown', confidence: 0.9 }, [
      { ...main, confidence: 0.5 },
      { ...rival, confidence: 0.5 },
      ...rest.filter((one) => one !== rival).map((one) => ({ ...one, confidence: Math.min(0.3, one.confidence) })),
    ])
  }
  if (main.confidence < 0.7) return told({ verdict: 'unknown', confidence: 0.8 }, causes)
  return told(
    main,
    rest.map((one) => ({ ...one, confidence: Math.min(one.confidence, 1 - main.confidence) })),
    main.change,
  )
}

/** What the counts say. Null: not known. */
interface Reading {
  /** Tokens that the later request could have read. */
  expected: number | null
  read: number | null
  lost: number | null
  /** True: it read less than it could have. Null: the counts do not show it. */
  isMiss: boolean | null
  /** How sure "no miss" is. */
  sure: number
}

function readingOf({ before, after, bytes, facts, reported }: Case): Reading {
  const left = leftBy(before, facts.writesReported)
  const prompt = before.usage?.inputTokens ?? bytes?.promptTokens ?? null
  const unchanged = bytes === null || (bytes.changes.length === 0 && bytes.placement === null)
  const byBytes = bytes === null || prompt === null ? null : Math.floor(prompt * bytes.readableShare)
  const shared = bytes === null || prompt === null ? null : Math.floor(prompt * bytes.sharedShare)
  // Where nothing that counts differs, the unchanged part is all that could be read.
  const expected = unchanged ? least(left, bytes?.sharedShare === 1 ? null : (byBytes ?? shared)) : (left ?? prompt)
  const read = readBy(after)
  const isMeasured = before.usage?.inputTokens != null
  const sure = before.usage === null ? 0.85 : 0.97
  if (reported?.hit === true && (read ?? 1) > 0) return { expected, read, lost: 0, isMiss: false, sure: 0.97 }
  if (read === null) return { expected, read, lost: expected, isMiss: null, sure: unchanged ? 0.85 : 0.6 }
  if (expected === null) {
    const written = after.usage?.cacheWriteTokens ?? null
    const isRead = read > 0 && (written === null || written <= read / 4)
    return { expected, read, lost: null, isMiss: isRead && unchanged ? false : read === 0 ? true : null, sure }
  }
  const lost = Math.max(0, expected - read)
  const slack = unchanged
    ? Math.max(NO_LOSS_TOKENS, expected * (isMeasured ? 0.2 : 0.4))
    : Math.max(NO_LOSS_TOKENS, expected * 0.05)
  // Who left nothing, and read nothing, has missed what could have been there.
  const isMiss = read === 0 || lost > slack
  return { expected, read, lost, isMiss, sure }
}

/** Tokens of the entries that a request left. */
function leftBy({ usage }: Sent, writesReported: boolean): number | null {
  if (usage === null) return null
  const { cacheReadTokens: read, cacheWriteTokens: written, inputTokens } = usage
  if (writesReported && written !== null) return (read ?? 0) + written
  return inputTokens ?? read
}

function readBy({ usage }: Sent): number | null {
  return usage?.cacheReadTokens ?? null
}

function least(...values: (number | null)[]): number | null {
  const known = values.filter((value) => value !== null)
  return known.length === 0 ? null : Math.min(...known)
}

interface Cause extends Candidate {
  /** Causes of one kind exclude each other by their order: the first decides. */
  kind: 'bytes' | 'placement' | 'route' | 'clock' | 'provider'
  change: Change | null
}

/** All causes that the evidence speaks for, the strongest first. */
function candidatesOf(given: Case, reading: Reading): Cause[] {
  const { before, after, bytes, reported } = given
  const causes: Cause[] = []
  const add = (kind: Cause['kind'], one: Candidate, change: Change | null = null): void => {
    causes.push({ kind, verdict: one.verdict, confidence: one.confidence, change })
  }
  const small = belowMinimum(given)
  if (small !== null) add('placement', small)
  const headUnread = isHeadUnread(given, reading)
  const [first, ...later] = bytes?.changes ?? []
  if (first !== undefined) {
    const weight = headUnread ? 0.25 : 1
    add('bytes', { verdict: first.verdict, confidence: agreed(first, reported) * weight }, first)
    for (const one of later)
      add('bytes', { verdict: one.verdict, confidence: Math.min(0.3, one.confidence) * weight }, one)
  }
  if (bytes?.placement != null && small === null) {
    // A change in front of the marker decides, and not the marker.
    add('placement', { ...bytes.placement, confidence: bytes.placement.confidence * (first === undefined ? 1 : 0.3) })
  }
  for (const change of bytes?.routing ?? []) add('route', change, change)
  if (before.credential !== null && after.credential !== null && before.credential !== after.credential) {
    add('route', { verdict: 'credential_changed', confidence: 0.93 })
  }
  if (before.upstream !== null && after.upstream !== null && before.upstream !== after.upstream) {
    add('route', { verdict: 'provider_flipped', confidence: 0.95 })
  }
  // Entries can mostly be read once their answer began: that explains less than what no read survives.
  const isExplained = causes.some(({ confidence }) => confidence >= 0.7)
  for (const one of clockCandidates(given)) {
    const isLess = one.verdict === 'read_before_readable' && isExplained
    add('clock', isLess ? { ...one, confidence: Math.min(0.3, one.confidence) } : one)
  }
  const decided = causes.some(({ confidence }) => confidence >= 0.5)
  if (reported?.verdict != null && first === undefined) {
    add('bytes', { verdict: reported.verdict, confidence: bytes === null ? 0.78 : 0.6 })
  } else if (!decided && reading.isMiss === true && bytes?.placement == null) {
    for (const one of providerCandidates(given)) add('provider', one)
  }
  return causes.toSorted((a, b) => b.confidence - a.confidence)
}

/** A change that the provider names as well is surer; one that it contradicts is less sure. */
function agreed({ verdict, confidence }: Change, reported: Case['reported']): number {
  if (reported?.verdict == null) return confidence
  const agrees = reported.verdict === verdict || VERDICTS[reported.verdict].group === VERDICTS[verdict].group
  return agrees ? Math.max(confidence, 0.95) : confidence * 0.9
}

/** An entry in front of every change, which the later request had unchanged and could find, was not read: the changes do not explain that. */
function isHeadUnread({ before, bytes, facts }: Case, { read }: Reading): boolean {
  if (bytes === null || !bytes.byMarkers || read === null || bytes.changes.length === 0) return false
  const prompt = before.usage?.inputTokens ?? bytes.promptTokens
  const head = prompt * bytes.readableShare
  const floor =
    Math.max(facts.minimumTokens ?? 1024, 2 * facts.blockTokens) *
    (before.usage?.inputTokens == null ? ESTIMATE_FACTOR : 1.2)
  return head >= floor && read < head / 4
}

function belowMinimum({ before, after, bytes, facts }: Case): Candidate | null {
  const { minimumTokens } = facts
  if (minimumTokens === null || wasCached(before) || wasCached(after)) return null
  const measured = before.usage?.inputTokens ?? after.usage?.inputTokens ?? null
  if (measured !== null && measured < minimumTokens) return { verdict: 'below_minimum', confidence: 0.95 }
  if (bytes === null) return null
  const scale = measured === null ? bytes.promptTokens : measured
  const tokens = scale * (bytes.entryShare > 0 ? bytes.entryShare : bytes.sharedShare)
  if (tokens * (measured === null ? ESTIMATE_FACTOR : 1.1) < minimumTokens) {
    return tokens === 0 ? null : { verdict: 'below_minimum', confidence: 0.85 }
  }
  return tokens < minimumTokens ? { verdict: 'below_minimum', confidence: 0.55 } : null
}

function wasCached({ usage }: Sent): boolean {
  return (usage?.cacheReadTokens ?? 0) > 0 || (usage?.cacheWriteTokens ?? 0) > 0
}

function accountingOf({ after, before }: Case, { read }: Reading): Candidate | null {
  if (before.impossible) return { verdict: 'misread_usage', confidence: 0.8 }
  if (after.usage === null) return null
  if (read === null) return { verdict: 'not_reported', confidence: 0.92 }
  // A count that is left out where it is 0 looks like one that was lost on the way.
  return after.unsaid && (before.usage?.cacheReadTokens ?? 0) > 0 ? { verdict: 'not_reported', confidence: 0.75 } : null
}

function isUnremarkable({ bytes, reported }: Case): boolean {
  return bytes !== null && bytes.changes.length === 0 && bytes.placement === null && reported?.verdict == null
}

function witnessesOf(given: Case, { expected, read }: Reading): Witness[] {
  const { bytes, after, reported } = given
  const said: Witness[] = []
  if (bytes !== null) {
    const [first] = bytes.changes
    said.push({
      kind: 'bytes',
      says:
        first === undefined
          ? `The later request begins with the same ${Math.round(bytes.sharedShare * 100)} % of the earlier prompt; nothing that was to be read differs.`
          : `The first difference stands ${first.path === '' ? 'in the order of the body' : `at ${first.path}`}, behind about ${Math.floor(bytes.promptTokens * first.share)} of ${bytes.promptTokens} tokens.`,
    })
    for (const says of bytes.ignored) said.push({ kind: 'bytes', says })
  }
  if (after.usage !== null) {
    const known = expected === null ? '' : ` of about ${Math.round(expected)} that could be read`
    said.push({
      kind: 'usage',
      says: read === null ? 'The usage has no counts of the cache.' : `It read ${read} tokens${known}.`,
    })
  }
  const gap = gapOf(given)
  if (gap !== null) {
    const { ttlMs } = given.facts
    const life = ttlMs === null ? '' : `; the entry lives for ${Math.round(ttlMs / SECOND_MS)} s`
    said.push({
      kind: 'clock',
      says: `It began ${Math.round(gap / SECOND_MS)} s behind the last use of the entry${life}.`,
    })
  }
  if (reported !== null) said.push({ kind: 'provider', says: `The provider says: ${reported.reason}.` })
  return said
}

function distinct(candidates: readonly Candidate[], verdict: Verdict): Candidate[] {
  const seen = new Set<Verdict>([verdict])
  return candidates.flatMap((one) => {
    if (seen.has(one.verdict)) return []
    seen.add(one.verdict)
    return [{ verdict: one.verdict, confidence: one.confidence }]
  })
}

function rounded(confidence: number): number {
  return Math.round(Math.min(1, Math.max(0, confidence)) * 100) / 100
}
