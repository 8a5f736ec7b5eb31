import { Failure } from '../../contract/failure.ts'
import { callStep, WAIT_MS } from '../../core/fan-out/call-barrier.ts'
import type { CallAnswer, CallEnd, CallWish } from '../../core/fan-out/call-barrier.ts'
import { outOfReach } from '../../providers/prefix/reach.ts'
import type { Clock } from '../../runtime/clock.ts'
import { factsOf } from '../../runtime/facts.ts'
import { Recent } from '../learning/recent.ts'
import { chosen, isWrittenAt } from '../seen-ends.ts'
import type { Reading } from '../seen-ends.ts'

/** Real time that a call waits for its account to say whether it passes. Without a word it goes at once. */
const PATIENCE_MS = 1_000
/** Bodies of waiting calls that one isolate holds, in bytes. Calls beyond it go at once. */
const MOST_HELD_BYTES = 24 * 1024 * 1024
/** Real time for which an account that gave no answer is not asked again. */
const SILENT_MS = 10_000
/** Real time for which an isolate takes an entry for readable without asking again, and how many of them. */
const KNOWN_MS = 60_000
const MOST_KNOWN = 5_000

const readable = new Recent<number>(MOST_KNOWN, KNOWN_MS)
/** Accounts that gave no answer. */
const silent = new Recent<true>(MOST_KNOWN, SILENT_MS)
let held = 0

/** What the barrier needs of the account. */
export interface BarrierPorts {
  clock: Clock
  waitUntil: (work: Promise<unknown>) => void
  askCallBarrier: (account: string, wish: CallWish) => Promise<CallAnswer>
  reportCallBarrier: (account: string, lease: string, outcome: Outcome) => Promise<unknown>
}

/** Whether the answer of a call began. */
export type Outcome = 'readable' | 'failed'

/** A call at the barrier. */
export interface AtBarrier {
  account: string
  /** Its body; null: it is none of its provider. */
  reading: Reading | null
  bytes: number
  /** Resolves with its first token, or when there will be none. */
  outcome: Promise<Outcome>
  /** Aborted when its caller leaves. */
  signal: AbortSignal
}

const NOT_ASKED = 'did not wait: the account could not be asked'

/**
 * Lets a call pass, at once or when another one has written what both begin with. Returns what became of it, in words for the answer's header. Throws
 * a `Failure` where the caller left before. Nothing of ours holds a call up: it goes where the account cannot be asked.
 */
export async function pastBarrier(call: AtBarrier, ports: BarrierPorts): Promise<string> {
  const { account, reading, bytes, signal } = call
  const { clock } = ports
  const startedAt = clock.now()
  const ends = reading === null ? [] : endsOf(reading, startedAt)
  if (reading === null || ends.length === 0) return 'did not wait: nothing of it can be read from a cache'
  if (isReadable(account, ends, startedAt, clock)) return 'did not wait: its prefix can be read'
  if (silent.get(account, clock.realAt(startedAt)) === true) return NOT_ASKED
  if (held + bytes > MOST_HELD_BYTES) return 'did not wait: too many bodies are held'
  held += bytes
  try {
    const left = leaving(signal)
    const ask = (waitMs: number): Promise<CallAnswer> =>
      asked(call, { ends, ttlMs: ttlOf(reading, startedAt), waitMs }, ports)
    const at = await within(PATIENCE_MS, ask(0), left)
    if (at === 'late' || at === 'failed') {
      silent.set(account, true, clock.realAt(clock.now()))
      return NOT_ASKED
    }
    if (at.role !== 'wait') return passed(account, at, null, clock)
    const leftMs = Math.max(1, startedAt + WAIT_MS - clock.now())
    const then = await within(clock.realMs(leftMs), ask(leftMs), left)
    const waited = `waited ${clock.now() - startedAt} ms`
    if (then === 'failed') return `${waited}; the account could not be asked`
    if (then === 'late' || then.role === 'wait') return `${waited}, the longest, and went on`
    return passed(account, then, waited, clock)
  } finally {
    held -= bytes
  }
}

function passed(account: string, { role, reads, of }: CallAnswer, waited: string | null, clock: Clock): string {
  if (reads !== null) readable.set(`${account} ${reads.entry}`, reads.untilAt, clock.realAt(clock.now()))
  if (role === 'first') return waited === null ? 'the first at its barrier' : `${waited}, and leads now`
  return waited === null ? 'did not wait: its prefix can be read' : `${waited} for the first of ${of}`
}

/**
 * Asks the account, and tells it later how the answer began, also where the call did not wait for the word that it leads: else others would wait for a
 * call that is gone.
 */
function asked(
  { account, outcome, signal }: AtBarrier,
  wish: CallWish,
  { askCallBarrier, reportCallBarrier, waitUntil }: BarrierPorts,
): Promise<CallAnswer> {
  const answer = askCallBarrier(account, wish)
  const gone = leaving(signal).catch((): Outcome => 'failed')
  const report = async (): Promise<void> => {
    const { lease } = await answer
    if (lease !== null) await reportCallBarrier(account, lease, await Promise.race([outcome, gone]))
  }
  // Announced now: once the caller has left, the platform hears of no new work.
  waitUntil(report().catch(() => {})) // without a report the lease ends by itself
  return answer
}

/** Never resolves; rejects when the caller leaves. */
function leaving(signal: AbortSignal): Promise<never> {
  const gone = Promise.withResolvers<never>()
  gone.promise.catch(() => {})
  const leave = (): void =>
    gone.reject(new Failure('provider_unavailable', 'The caller left before its call was sent.'))
  if (signal.aborted) leave()
  else signal.addEventListener('abort', leave, { once: true })
  return gone.promise
}

/** The answer. `late`: none in time; `failed`: an error that is none of ours to pass on. Throws where the caller left. */
async function within(
  realMs: number,
  answer: Promise<CallAnswer>,
  left: Promise<never>,
): Promise<CallAnswer | 'late' | 'failed'> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<'late'>((resolve) => {
    timer = setTimeout(() => resolve('late'), realMs)
  })
  try {
    return await Promise.race([answer.catch(() => 'failed' as const), late, left])
  } finally {
    clearTimeout(timer)
  }
}

/** Whether this isolate knows that the call has nothing to wait for, and that nobody would wait for it. */
function isReadable(account: string, ends: readonly CallEnd[], now: number, clock: Clock): boolean {
  const step = callStep(ends, (entry) => {
    const untilAt = readable.get(`${account} ${entry}`, clock.realAt(now))
    return untilAt !== undefined && now < untilAt ? 'readable' : 'cold'
  })
  return step.do === 'pass' && step.reads !== null && step.leads.length === 0
}

/** Ends of a body at which an entry can lie that it reads, the longest first. */
function endsOf({ card, outline, entryAt }: Reading, now: number): CallEnd[] {
  const facts = factsOf(card.id, outline.model, now)
  // Where one call writes nothing that the next could read, waiting for it is useless.
  if ((facts.probesToSeed ?? 1) > 1) return []
  const { blocks } = outline
  let bytes = 0
  const tokens = blocks.map((block) => {
    bytes += Buffer.byteLength(block.tokens)
    return Math.floor(bytes / 4)
  })
  return chosen(outline)
    .filter((index) => outOfReach(outline, index) === null && (tokens[index] ?? 0) >= (facts.minimumTokens ?? 1_024))
    .map((index) => ({
      entry: entryAt(index),
      tokens: tokens[index] ?? 0,
      isWritten: isWrittenAt(outline, index),
    }))
    .toReversed()
}

/** The shortest retention that its model offers. */
function ttlOf({ card, outline }: Reading, now: number): number | null {
  const { retentions } = factsOf(card.id, outline.model, now)
  return retentions.length === 0 ? null : Math.min(...retentions.map(({ minTtlMs }) => minTtlMs))
}
