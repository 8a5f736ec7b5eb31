import { DurableObject } from 'cloudflare:workers'
import { Failure, FAILURES, readFailure } from '../../contract/failure.ts'
import { LIVE_LIMITS, nextStep } from '../../core/conversation/lifecycle.ts'
import type { LiveEnd, LiveLimits } from '../../core/conversation/lifecycle.ts'
import { HOUR_MS } from '../../core/time/time.ts'
import { clockFrom } from '../../runtime/clock.ts'
import type { ClockVars } from '../../runtime/clock.ts'
import { newId } from '../../runtime/ids.ts'
import { openSnapshot, signSnapshot } from '../../runtime/snapshot.ts'
import type { Snapshot } from '../../runtime/snapshot.ts'
import type { LiveDefinition, LiveView } from './definition.ts'
import { busyFailure, endedFailure, eventData } from './errors.ts'
import { endLife, EventHandling } from './event-handling.ts'
import { restoreInto, savedOf, summaryOf, viewOf } from './snapshot.ts'
import type { LiveSummary, SavedObject } from './snapshot.ts'
import { LiveStore } from './tables.ts'
import type { LiveRecord } from './tables.ts'
import { durableSql } from '../sql.ts'

/** Most events handled in one alarm, so that a flood of events does not use up its 15 minutes. */
const EVENTS_PER_ALARM = 100

/**
 * Base class of objects that handle events. Events wait in its database and are handled one at a time, in order, at least once:
 * an event that was cut off is handled again, a repeated id is not. The sender gets its answer when the event is stored; the
 * alarm does the work. Between events nothing runs and nothing costs. A subclass gives the handlers. Its private members
 * must be `#` too: every public method answers RPC.
 */
export class LiveObject<Env extends object, State, Events> extends DurableObject<Env> {
  clock = clockFrom(this.env as ClockVars)
  readonly #definition: LiveDefinition<State, Events>
  readonly #store: LiveStore
  readonly #events: EventHandling<State, Events>
  #running = false

  constructor(ctx: DurableObjectState, env: Env, definition: LiveDefinition<State, Events>) {
    super(ctx, env)
    this.#definition = definition
    this.#store = new LiveStore(durableSql(ctx.storage), definition.seals)
    this.#events = new EventHandling(this.#store, definition, () => this.clock.now())
  }

  /** Starts the object. Throws `conflict` where it was started before. */
  async start(limits: Partial<LiveLimits> = {}, state: State = this.#definition.initial): Promise<void> {
    await this.#keyReady()
    this.#begin(limits, state)
    await this.#rearm()
  }

  /** Resolves once state and events can be sealed and opened. */
  async #keyReady(): Promise<void> {
    await this.#definition.seals?.ready()
  }

  /**
   * Stores an event in the mailbox. Throws `conflict` after the end, with its reason, `rate_limited` when too many events wait,
   * `payload_too_large`, and `not_found` where the object was never started. `alone`: throws `conflict` also while another event waits
   * or is being handled. `also` runs in the transaction that stores the event, which is not stored if it throws.
   */
  async emit(
    event: { type: string; data?: unknown; id?: string; alone?: boolean },
    also: () => void = () => {},
  ): Promise<{ id: string; duplicate: boolean }> {
    await this.#keyReady()
    const now = this.clock.now()
    if (!this.#store.exists() && this.#definition.startsItself === true) this.#begin({}, this.#definition.initial)
    this.#endIfDue(now)
    const record = this.#record()
    const id = event.id ?? newId('evt')
    if (this.#store.knows(id)) return { id, duplicate: true }
    if (record.ended !== null) throw endedFailure(record.ended)
    const data = eventData(event.data)
    if (event.alone === true && this.#store.waiting() > 0) throw busyFailure()
    const { maxMailbox } = record.limits
    if (this.#store.waiting() >= maxMailbox) {
      const text = `${maxMailbox} events are waiting, the maximum. Send the event again when some are handled`
      throw new Failure('rate_limited', text, { limit: maxMailbox })
    }
    this.#store.transaction(() => {
      this.#store.push({ id, at: now, type: event.type, data, attempts: 0, nextAt: now })
      this.#store.saveRecord({ ...record, activeAt: now })
      also()
    })
    // A running alarm takes the event. If that alarm is cut off, the platform runs it again.
    if (!this.#running) await this.#rearm()
    return { id, duplicate: false }
  }

  /**
   * Answers the question of a handler: the answer is handled before the events that wait. Throws `conflict` where there is no
   * question and after the end, and `payload_too_large`.
   */
  async respond(input: unknown): Promise<{ id: string }> {
    await this.#keyReady()
    const record = this.#record()
    if (record.ended !== null) throw endedFailure(record.ended)
    const { asked, ...going } = record
    if (asked === undefined) throw new Failure('conflict', 'no question is open', { reason: 'nothing_asked' })
    const data = eventData(input)
    const now = this.clock.now()
    const id = newId('evt')
    this.#store.transaction(() => {
      this.#store.pushFirst({ id, at: now, type: asked.answerType, data, attempts: 0, nextAt: now })
      this.#store.saveRecord({ ...going, activeAt: now })
      this.#store.note({ at: now, what: 'answered', event: id, type: asked.answerType }, record.limits.maxHistory)
    })
    if (!this.#running) await this.#rearm()
    return { id }
  }

  /** End of the object; null: it runs, or was never started. */
  ended(): { reason: LiveEnd; why: string; at: number } | null {
    return this.#store.record()?.ended ?? null
  }

  /** Events in the mailbox, oldest first; the first may be in its handler. `attempts`: how often its handler was called. */
  waitingEvents(): { id: string; type: string; attempts: number }[] {
    if (!this.#store.exists()) return []
    return this.#store.waitingRows().map(({ id, type, attempts }) => ({ id, type, attempts }))
  }

  look(): LiveView<State> {
    return viewOf<State>(this.#store, this.#record())
  }

  /** What `look` returns, without the state: it needs no key. */
  summary(): LiveSummary {
    return summaryOf(this.#store, this.#record())
  }

  /**
   * Pauses the object. The event in its handler is finished, the mailbox accepts more, and none is handled until `resume`. The idle
   * time-out does not run meanwhile. Throws `conflict` after the end.
   */
  async pause(): Promise<void> {
    await this.#switchPause(
      (record, at) => (record.pausedAt === undefined ? { ...record, pausedAt: at } : null),
      'paused',
    )
  }

  /** Ends a pause; the idle time-out starts again. Throws `conflict` after the end. */
  async resume(): Promise<void> {
    await this.#switchPause(
      ({ pausedAt, ...rest }, at) => (pausedAt === undefined ? null : { ...rest, activeAt: at }),
      'resumed',
    )
  }

  /** Ends the object. The event in its handler is finished; waiting events stay, so that a snapshot includes them. */
  async shutdown(why = 'shutdown was requested'): Promise<void> {
    const record = this.#record()
    if (record.ended === null) endLife(this.#store, record, 'shutdown', why, this.clock.now())
    await this.#rearm()
  }

  /** Signed copy of the whole object, which goes on. An event in its handler counts as waiting. */
  snapshot(): Snapshot {
    const { kind, version, snapshotSecret } = this.#definition
    const payload = JSON.stringify(savedOf(this.#store, this.#record()))
    return signSnapshot({ version, kind, payload }, snapshotSecret)
  }

  /** Starts a new object from a snapshot, also from one of an ended or paused object. Its spending so far counts. */
  async restore(snapshot: Snapshot, limits: Partial<LiveLimits> = {}): Promise<void> {
    await this.#keyReady()
    const saved = openSnapshot(snapshot, this.#definition, this.#definition.snapshotSecret) as SavedObject
    if (this.#store.exists())
      throw new Failure('conflict', 'a snapshot can only be restored into a new object; this one has already started')
    restoreInto(this.#store, saved, limits, this.clock.now())
    await this.#rearm()
  }

  /** Deletes all data and the alarm. */
  async erase(): Promise<void> {
    await this.ctx.storage.deleteAll()
  }

  override async alarm(): Promise<void> {
    if (this.#running) return
    this.#running = true
    try {
      await this.#keyReady()
      for (let n = 0; n < EVENTS_PER_ALARM; n += 1) if (!(await this.#events.step())) break
    } catch (thrown) {
      // The platform drops an alarm that throws six times. Set again below, it is never dropped.
      console.error('live object alarm failed', thrown instanceof Error ? thrown.name : 'unknown')
      // Where the key is gone or refused, only a person can mend it.
      const failure = readFailure(thrown)
      const waitMs = failure === null || FAILURES[failure.kind].retryable ? 5_000 : HOUR_MS
      await this.ctx.storage.setAlarm(this.clock.realAt(this.clock.now() + waitMs))
      return
    } finally {
      this.#running = false
    }
    await this.#rearm()
  }

  #begin(limits: Partial<LiveLimits>, state: State): void {
    if (this.#store.exists()) throw new Failure('conflict', 'it has already started')
    const now = this.clock.now()
    const record: LiveRecord = {
      limits: { ...LIVE_LIMITS, ...this.#definition.limits, ...limits },
      startedAt: now,
      activeAt: now,
      spentNanos: 0,
      ended: null,
      handled: 0,
      dropped: 0,
      failed: 0,
    }
    this.#store.transaction(() => {
      this.#store.create(record, JSON.stringify(state))
      this.#store.note({ at: now, what: 'started' }, record.limits.maxHistory)
    })
  }

  /** Ends the object if its end is due and the alarm is late. */
  #endIfDue(now: number): void {
    const record = this.#store.record()
    if (record === null || this.#running) return
    const step = nextStep(record, this.#store.waitingRows(1)[0]?.nextAt ?? null, now)
    if (step.do === 'end') endLife(this.#store, record, step.reason, step.why, now)
  }

  /** Pauses or resumes; `change` returns null where that is the case already. */
  async #switchPause(
    change: (record: LiveRecord, at: number) => LiveRecord | null,
    what: 'paused' | 'resumed',
  ): Promise<void> {
    const at = this.clock.now()
    this.#endIfDue(at)
    const record = this.#record()
    if (record.ended !== null) throw endedFailure(record.ended)
    const changed = change(record, at)
    if (changed === null) return
    this.#store.transaction(() => {
      this.#store.saveRecord(changed)
      this.#store.note({ at, what }, record.limits.maxHistory)
    })
    if (!this.#running) await this.#rearm()
  }

  #record(): LiveRecord {
    const record = this.#store.record()
    if (record === null) throw new Failure('not_found', 'nothing was started here')
    return record
  }

  /** Sets the alarm to the next step that the tables ask for. */
  async #rearm(): Promise<void> {
    const record = this.#store.record()
    if (record === null) return
    const now = this.clock.now()
    const step = nextStep(record, this.#store.waitingRows(1)[0]?.nextAt ?? null, now)
    if (step.do === 'rest') return this.ctx.storage.deleteAlarm()
    await this.ctx.storage.setAlarm(this.clock.realAt(step.do === 'wait' ? step.until : now))
  }
}
