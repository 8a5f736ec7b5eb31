import { VERDICTS } from '../../../core/diagnosis/verdicts.ts'
import { HOUR_MS, MINUTE_MS, dayOf } from '../../../core/time/time.ts'
import { ALIKE, isOfConversation } from '../../../registration/misses/conversation.ts'
import { judgedCall } from '../../../registration/misses/judged-call.ts'
import type { Missed } from '../../../registration/misses/judged-call.ts'
import type { PassedCall } from '../../../registration/misses/passed-call.ts'
import { likeness } from '../../../providers/diagnosis/sketch-compare.ts'
import type { Sketch } from '../../../providers/diagnosis/sketch.ts'
import { readSketch } from '../../../providers/diagnosis/sketch-text.ts'
import type { ProbeSchedulerPorts } from '../probes/context.ts'
import type { ProbeScheduler } from '../probes/scheduler.ts'
import { MOST_CALLS } from '../tables/passed-calls.ts'
import type { Stream, StreamCall } from '../tables/passed-calls.ts'
import type { RegistryStore } from '../tables/tables.ts'

/** The decision under which a verdict stands in a history: a stored word. */
const MISSED = 'missed'
/** Conversations with one key that are looked at: the latest. */
const MOST_LOOKED_AT = 8
/** First calls of other conversations that began so long after a call that comes late are judged again. */
const TOGETHER_MS = MINUTE_MS

/**
 * Why calls of one account missed. Each call is held against the one before it in its conversation, else against the last one with its label, else
 * against the last one whose system prompt begins like its own. Synchronous; all state is in the tables.
 */
export class Misses {
  readonly #store: RegistryStore
  readonly #scheduler: ProbeScheduler
  readonly #factsOf: ProbeSchedulerPorts['factsOf']

  constructor(store: RegistryStore, scheduler: ProbeScheduler, { factsOf }: Pick<ProbeSchedulerPorts, 'factsOf'>) {
    this.#store = store
    this.#scheduler = scheduler
    this.#factsOf = factsOf
  }

  /** Judges calls, in the order in which they began. One that comes behind a later one has that judged again. */
  learn(calls: readonly PassedCall[], now: number): void {
    if (calls.length === 0 || (this.#store.settings()?.learn ?? 'observe') === 'off') return
    for (const call of calls.toSorted((a, b) => a.startedAt - b.startedAt)) this.#take(call, now)
  }

  #take(call: PassedCall, now: number): void {
    const sketch = readSketch(call.sketch)
    if (sketch === null) return
    const near = this.#near(call)
    const own = near.find(
      ({ stream, calls }) => isSameStream(stream, call) && isOfConversation(nearestOf(calls, call), sketch, call),
    )
    const calls = own?.calls ?? []
    // Too late: its place is before everything that is known.
    if (calls.length >= MOST_CALLS && call.startedAt < (calls[0]?.startedAt ?? 0)) return
    const all = [...calls, { ...call }].toSorted((a, b) => a.startedAt - b.startedAt).slice(-MOST_CALLS)
    const at = all.findIndex((one) => !calls.includes(one))
    for (const [index, one] of all.entries()) {
      if (index >= at) this.#judge(one, all.slice(0, index), near, now)
    }
    this.#store.passedCalls.save(own?.stream.k ?? null, all)
    for (const other of near) if (other !== own) this.#judgeBehind(other, call, now)
  }

  /** Conversations that a call may belong to or follow, the newest first. */
  #near(call: PassedCall): Near[] {
    const isNear = (stream: Stream): boolean =>
      stream.provider === call.provider &&
      (isSameStream(stream, call) ||
        (call.label !== null && stream.label === call.label) ||
        (call.family !== null && stream.family === call.family))
    const found = this.#store.passedCalls.streams().filter(isNear)
    const own = found.filter((stream) => isSameStream(stream, call))
    return [...new Set([...own.slice(0, MOST_LOOKED_AT), ...found.slice(0, MOST_LOOKED_AT)])].map((stream) => ({
      stream,
      calls: this.#store.passedCalls.calls(stream.k),
    }))
  }

  /** Judges a call by the last one before it, in its conversation or elsewhere, and counts what has changed. */
  #judge(call: StreamCall, earlier: readonly StreamCall[], near: readonly Near[], now: number): void {
    const before = earlier.findLast(({ model }) => model === call.model) ?? earlier.at(-1) ?? followed(call, near)
    const facts = this.#factsOf(call.provider, call.model, call.startedAt)
    const alone = before === null ? null : judgedCall(before, call, facts)
    // What came between the two is looked at where it may matter: most calls miss nothing.
    const missed =
      before === null || alone === null ? null : judgedCall(before, call, facts, between(before, call, near))
    const { missed: known, name, startedAt: at, prefix } = call
    if (JSON.stringify(missed) === JSON.stringify(known === undefined ? null : withoutDay(known))) return
    if (known !== undefined) this.#store.misses.remove({ day: known.day, name, missed: known, at, prefix })
    delete call.missed
    if (missed === null) return
    const day = dayOf(at)
    call.missed = { ...missed, day }
    this.#store.misses.add({ day, name, missed, at, prefix })
    if (prefix !== null) this.#tell(prefix, missed, now)
  }

  /** Writes a verdict into the history of its prefix, once an hour for each verdict. */
  #tell(prefix: string, { verdict, confidence, path }: Missed, now: number): void {
    const k = this.#store.prefixes.keyOf('id', prefix)
    if (k === null) return
    const where = path === null || path === '' ? '' : ` First difference at ${path}.`
    const why = `${verdict} (confidence ${confidence}): ${VERDICTS[verdict].says}${where}`
    const isTold = this.#store.history
      .since(k, now - HOUR_MS)
      .some(
        (row) =>
          row.type === 'decision' &&
          row.decision === MISSED &&
          row.why.startsWith(`${verdict} `) &&
          now - row.at < HOUR_MS,
      )
    if (isTold) return
    const row = { at: now, type: 'decision' as const, decision: MISSED, why }
    this.#scheduler.applyTransition(k, now, (state) => ({ state, rows: [row] }))
  }

  /** Calls of another conversation behind one that comes late: its first, if it began right behind it, and those that missed. */
  #judgeBehind({ stream, calls }: Near, late: PassedCall, now: number): void {
    const behind = calls.filter(
      ({ startedAt, missed }, index) =>
        startedAt >= late.startedAt &&
        (missed !== undefined || (index === 0 && startedAt - late.startedAt <= TOGETHER_MS)),
    )
    const [first] = behind
    if (first === undefined) return
    const before = JSON.stringify(calls.map(({ missed }) => missed))
    const others = this.#near(first).filter(({ stream: { k } }) => k !== stream.k)
    for (const call of behind) this.#judge(call, calls.slice(0, calls.indexOf(call)), others, now)
    if (JSON.stringify(calls.map(({ missed }) => missed)) !== before) this.#store.passedCalls.save(stream.k, calls)
  }
}

interface Near {
  stream: Stream
  calls: StreamCall[]
}

function withoutDay({ day: _day, ...missed }: Missed & { day: string }): Missed {
  return missed
}

function isSameStream({ session }: Stream, call: PassedCall): boolean {
  return session !== null && session === call.session
}

/** The call that began last before that one, else the first behind it. */
function nearestOf(calls: readonly StreamCall[], { startedAt }: PassedCall): StreamCall | undefined {
  return calls.findLast((one) => one.startedAt <= startedAt) ?? calls[0]
}

/** The last call of another conversation that a first call can be held against: of its model, with its label or a beginning like its own. */
function followed(call: PassedCall, near: readonly Near[]): StreamCall | null {
  const sketch = readSketch(call.sketch)
  if (sketch === null) return null
  const isOf = (one: PassedCall): boolean => {
    if (one.model !== call.model || !isBefore(one, call)) return false
    const earlier = readSketch(one.sketch)
    if (earlier === null) return false
    if (likeness(earlier, sketch) >= ALIKE) return true
    // A label says that they are meant to be alike.
    return call.label !== null && one.label === call.label && fixedBlocks(earlier) === fixedBlocks(sketch)
  }
  const labelled = near.filter(({ stream }) => call.label !== null && stream.label === call.label)
  for (const group of [labelled, near]) {
    const found = group
      .flatMap(({ calls }) => calls)
      .toSorted((a, b) => b.startedAt - a.startedAt)
      .find(isOf)
    if (found !== undefined) return found
  }
  return null
}

/** Calls of any conversation that is near, which began between two others. */
function between(before: StreamCall, call: PassedCall, near: readonly Near[]): StreamCall[] {
  return near
    .flatMap(({ calls }) => calls)
    .filter((one) => one.startedAt > before.startedAt && isBefore(one, call) && one.model === call.model)
}

/** Of calls that began together one is the first. */
function isBefore(one: PassedCall, other: PassedCall): boolean {
  if (one.startedAt !== other.startedAt) return one.startedAt < other.startedAt
  return (one.session ?? '') < (other.session ?? '')
}

function fixedBlocks({ blocks }: Sketch): number {
  return blocks.filter(({ kind }) => kind === 's' || kind === 'd').length
}
