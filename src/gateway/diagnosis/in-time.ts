import { CONFIDENT } from '../../core/diagnosis/verdicts.ts'
import type { Verdict } from '../../core/diagnosis/verdicts.ts'
import { member, readJson } from '../../core/prompt/json-text.ts'
import { NO_COUNTS } from '../../core/model/usage.ts'
import type { Usage } from '../../core/model/usage.ts'
import { readSketch } from '../../providers/diagnosis/sketch-text.ts'
import { shortHash } from '../../providers/prefix/outline.ts'
import type { Outline } from '../../providers/prefix/outline.ts'
import { isOfConversation } from '../../registration/misses/conversation.ts'
import { expectedMiss, judgedCall } from '../../registration/misses/judged-call.ts'
import type { Expected } from '../../registration/misses/judged-call.ts'
import type { CallFacts, PassedCall } from '../../registration/misses/passed-call.ts'
import type { Clock } from '../../runtime/clock.ts'
import { factsOf } from '../../runtime/facts.ts'
import { framingOf, usageIn } from '../../usage/find.ts'
import { agentNames } from '../agents.ts'
import type { Ahead } from './ahead.ts'
import { countsOf } from '../bodies/counts.ts'
import { namedSession } from '../learning/lesson.ts'
import { Recent } from '../learning/recent.ts'
import { labelIn } from '../request/own-headers.ts'
import type { Reading } from '../seen-ends.ts'
import { LastCalls } from './last-calls.ts'
import type { LastCall } from './last-calls.ts'
import { toldBy } from './told-by-answer.ts'

/** Most characters of sketches that an isolate keeps. */
const MOST_CHARS = 4_000_000
const known = new LastCalls(MOST_CHARS)
/** Accounts of which calls are known here. */
const accounts = new Recent<true>(5_000, 3_600_000)

/** Without counts a verdict is no surer than this. */
const WITHOUT_COUNTS = 0.9

/** A call whose verdict may be known when the headers of its answer leave. */
export interface Timely {
  /** The call before it in its conversation, or with its label; null: none is known here. */
  before: LastCall | null
  /** Something speaks for a miss, so that the counts are worth a look. */
  isSuspect: boolean
  /** The value of the answer's header; null: no verdict is sure in time. */
  verdict: (answer: Response, ahead: Ahead | null) => string | null
  /** The end of its answer. Null: it had none. */
  end: (ended: TimelyEnd | null) => void
}

/** How an answer ended. */
export interface TimelyEnd {
  usage: Usage
  ttftMs: number | null
  /** It is known to have been a whole one, and no failure inside of a stream. */
  isWhole: boolean
  /** What it says beside its counts. */
  told: Partial<CallFacts>
  /** Its id; null: it names none. */
  id: string | null
}

/** Longest body that is read at once, so that its verdict is known in time. */
const MOST_BYTES_AT_ONCE = 256 * 1024

/** Whether a call may get a verdict by one that this isolate has seen, so that it is worth reading its body early: it names its session or its label. */
export function maySoonJudge(account: string, headers: Headers, clock: Clock): boolean {
  if (accounts.get(account, realNow(clock)) !== true) return false
  if (Number(headers.get('content-length') ?? Infinity) > MOST_BYTES_AT_ONCE) return false
  return agentNames(headers).self !== null || labelIn(headers).name !== null
}

/** A call, when its body has been read. `facts`: what may be remembered of it; null: nothing. */
export interface Arriving {
  account: string
  headers: Headers
  reading: Reading
  facts: CallFacts | null
  startedAt: () => number
}

/** Finds the call before. Null: nothing may be remembered of this one, and what was of its session is no longer the last. */
export function inTime(arriving: Arriving, clock: Clock): Timely | null {
  const { account, headers, reading, facts, startedAt } = arriving
  if (facts === null) {
    forgetSession(arriving)
    return null
  }
  const { card, outline } = reading
  const keys = keysOf(arriving)
  const now = realNow(clock)
  const answers = answersIn(outline)
  const callOf = (usage: Usage, ttftMs: number | null): PassedCall => ({
    ...facts,
    provider: card.id,
    startedAt: startedAt(),
    ttftMs,
    usage,
    prefix: null,
  })
  const modelFacts = factsOf(card.id, facts.model, startedAt())
  const found = foundBefore(keys, { call: callOf(NO_COUNTS, null), answers, responseId: null }, now)
  const expected = found === null ? null : expectedMiss(found.before.call, callOf(NO_COUNTS, null), modelFacts)
  const isBeside = found !== null && known.openAt(found.key) > 0
  for (const key of keys) known.begin(key, now)
  let isOpen = true
  return {
    before: found?.before ?? null,
    // Mostly such a call reads: no answer is to wait for that.
    isSuspect:
      expected !== null && expected.verdict !== 'read_before_readable' && expected.verdict !== 'parallel_writes',
    verdict: (answer, ahead) => {
      // A call that runs beside this one may write what it looks for.
      if (found === null || expected === null || isBeside || known.openAt(found.key) > 1) return null
      const counted = ahead?.text == null ? null : countsIn(card.id, answer, ahead.text)
      if (counted === null) return found.isSession ? shown(withoutCounts(expected, headers)) : null
      const after = { ...callOf(counted.usage, null), ...counted.told }
      return shown(judgedCall(found.before.call, after, modelFacts))
    },
    end: (ended) => {
      if (!isOpen) return
      isOpen = false
      const isKnown = ended?.isWhole === true
      const last = isKnown
        ? {
            call: {
              ...callOf(ended.usage, ended.ttftMs),
              ...ended.told,
              doneMs: Math.max(0, clock.now() - startedAt()),
            },
            answers,
            responseId: isComparable(reading) ? ended.id : null,
          }
        : null
      for (const key of keys) known.end(key, last, realNow(clock))
      if (isKnown) accounts.set(account, true, realNow(clock))
      // It may have written what nobody knows of.
      else if (ended !== null) forgetSession(arriving)
    },
  }
}

/** Id of the answer that a call can be compared with by its provider; null: none is known here. */
export function previousAnswer(
  arriving: Omit<Arriving, 'startedAt' | 'facts'> & { facts: CallFacts },
  clock: Clock,
): string | null {
  const { facts, reading } = arriving
  const call = {
    ...facts,
    provider: reading.card.id,
    startedAt: clock.now(),
    ttftMs: null,
    usage: NO_COUNTS,
    prefix: null,
  }
  const last = { call, answers: answersIn(reading.outline), responseId: null }
  const found = foundBefore(keysOf(arriving), last, realNow(clock))
  return found?.isSession === true ? found.before.responseId : null
}

/** Whether the provider can compare a later call with this one: some keep what they need of those calls alone that ask. */
function isComparable({ card: { diagnostics }, outline: { text } }: Reading): boolean {
  if (diagnostics === undefined) return false
  const [holder] = diagnostics.place
  if (diagnostics.takesNone !== true) return true
  return text.includes(JSON.stringify(holder)) && member(readJson(text), holder) !== undefined
}

/** Forgets the calls of a session, behind one of which nothing is known: it may have written anything. */
export function forgetSession(arriving: Pick<Arriving, 'account' | 'headers' | 'reading'>): void {
  for (const key of keysOf(arriving)) known.forget(key)
}

/** Keys under which a call is kept: its session, else its first question; then its label. They leave the isolate nowhere. */
function keysOf({ account, headers, reading: { card, outline } }: Pick<Arriving, 'account' | 'headers' | 'reading'>) {
  const session = agentNames(headers).self ?? namedSession(outline.text, headers)
  const question = outline.blocks.find(({ tokens }) => /"role":"user"/.test(tokens.slice(0, ROLE_CHARS)))?.tokens ?? ''
  const { name } = labelIn(headers)
  return [
    session === null ? shortHash(account, card.id, 'question', question) : shortHash(account, card.id, session),
    ...(name === null ? [] : [shortHash(account, card.id, 'label', name)]),
  ]
}

interface Found {
  before: LastCall
  key: string
  /** It is of the same session, and not merely of the same label. */
  isSession: boolean
}

/** The call before: the last of its conversation, else the last with its label. Null: none is known, or others came between that are not. */
function foundBefore(keys: readonly string[], { call, answers }: LastCall, now: number): Found | null {
  const sketch = readSketch(call.sketch)
  if (sketch === null) return null
  for (const [index, key] of keys.entries()) {
    const all = known.get(key, now).filter((one) => isOfConversation(one.call, sketch, call))
    const before = all.findLast((one) => one.call.model === call.model) ?? all.at(-1)
    if (before === undefined) continue
    const isSession = index === 0
    // The hashes of an account whose prompts were erased are under another key. Many may ask one question, and a label says for what.
    if (before.call.label !== call.label || (isSession && before.call.session !== call.session)) continue
    return isSession && answers > before.answers + 1 ? null : { before, key, isSession }
  }
  return null
}

/** Characters of a block in which its role stands. */
const ROLE_CHARS = 200
const OF_THE_MODEL = /"role":"(?:assistant|model)"|"type":"(?:reasoning|function_call|custom_tool_call)"/

/** Answers of the model in a body. One may have several items. */
function answersIn({ blocks }: Pick<Outline, 'blocks'>): number {
  const items = blocks.filter(({ isFirst }) => isFirst)
  const isAnswer = items.map(({ tokens }) => OF_THE_MODEL.test(tokens.slice(0, ROLE_CHARS)))
  return isAnswer.filter((is, at) => is && isAnswer[at - 1] !== true).length
}

/** The counts in what came with the headers; null: they are not among it. */
function countsIn(provider: string, answer: Response, text: string) {
  const framing = framingOf(answer.headers.get('content-type') ?? '')
  if (framing === null) return null
  const kept = { head: text, tail: null }
  const raw = usageIn(kept, framing)
  const { usage, isPossible } = countsOf(provider, raw, answer.headers)
  if (usage.cacheReadTokens === null || !isPossible) return null
  return { usage, told: toldBy(kept, framing, raw, isPossible) }
}

/** What is sure although the counts are not known. A request that was sent again may read what its first attempt wrote. */
function withoutCounts({ isSure, verdict, confidence }: Expected, headers: Headers): Expected | null {
  const isAgain = Number(headers.get('x-stainless-retry-count') ?? '0') > 0
  return isSure && !isAgain ? { isSure, verdict, confidence: Math.min(confidence, WITHOUT_COUNTS) } : null
}

function shown(told: { verdict: Verdict; confidence: number } | null): string | null {
  if (told === null || told.verdict === 'unknown' || told.confidence < CONFIDENT) return null
  return `${told.verdict}; confidence=${told.confidence}`
}

function realNow(clock: Clock): number {
  return clock.realAt(clock.now())
}
