import { Failure } from '../../contract/failure.ts'
import { MAX_ATTEMPTS, nextStep, retryDelayMs } from '../../core/conversation/lifecycle.ts'
import type { LiveEnd } from '../../core/conversation/lifecycle.ts'
import type { Handler, LiveDefinition, Turn } from './definition.ts'
import type { LiveRecord, LiveStore, WaitingEvent } from './tables.ts'

interface Question {
  question: string
  answerType: string
}

/** Result of one event as the history records it. */
interface EventOutcome {
  what: 'handled' | 'dropped' | 'failed'
  why?: string
}

/** Handles the events of one live object, one at a time and in their order. */
export class EventHandling<State, Events> {
  readonly #store: LiveStore
  readonly #definition: LiveDefinition<State, Events>
  readonly #now: () => number

  constructor(store: LiveStore, definition: LiveDefinition<State, Events>, now: () => number) {
    this.#store = store
    this.#definition = definition
    this.#now = now
  }

  /** Takes the next step if one is due: handles an event, or ends the object. False: nothing was due. */
  async step(): Promise<boolean> {
    const record = this.#store.record()
    if (record === null) return false
    const [head] = this.#store.mailbox(1)
    const now = this.#now()
    const step = nextStep(record, head?.nextAt ?? null, now)
    if (step.do === 'end') endLife(this.#store, record, step.reason, step.why, now)
    if (step.do !== 'handle' || head === undefined) return step.do === 'end'
    await this.#handle(head, now)
    return true
  }

  async #handle(event: WaitingEvent, now: number): Promise<void> {
    const { id, type } = event
    const handlers: Record<string, unknown> = this.#definition.handlers
    const handler = Object.hasOwn(handlers, type) ? (handlers[type] as Handler<State, unknown>) : undefined
    if (handler === undefined) {
      // The sender chose the type's text: it goes into the history, not into the log.
      console.warn('an event without a handler was dropped')
      return this.#close(event, { what: 'dropped', why: 'no handler for events of this type' }, 0)
    }
    let spentNanos = 0
    const spend = (nanos: number): void => {
      if (!Number.isSafeInteger(nanos) || nanos < 0)
        throw new Failure('internal', 'spend: must be a whole number of nano-dollars, 0 or more')
      spentNanos += nanos
    }
    if (event.attempts >= MAX_ATTEMPTS) {
      this.#definition.givenUp?.(type, { id, attempt: event.attempts, now, spend })
      const why = `given up after ${event.attempts} attempts`
      return this.#close(event, { what: 'failed', why }, spentNanos)
    }
    const attempt = event.attempts + 1
    this.#store.saveAttempt(id, attempt, now)
    let asked: Question | null = null
    const ask: Turn['ask'] = (question, answerType) => {
      if (asked !== null) throw new Failure('internal', 'ask: must be called at most once for each event')
      asked = { question, answerType }
    }
    try {
      const before = JSON.parse(this.#store.state()) as State
      const state = await handler(before, JSON.parse(event.data) as unknown, { id, attempt, now, spend, ask })
      this.#close(event, { what: 'handled' }, spentNanos, { state: JSON.stringify(state), asked })
    } catch (thrown) {
      const why = thrown instanceof Error ? thrown.message : 'the handler threw'
      if (attempt >= MAX_ATTEMPTS) return this.#close(event, { what: 'failed', why }, spentNanos)
      this.#retry(event, attempt, why, spentNanos)
    }
  }

  /** Loads the record again before it commits: while the handler waited, events may have come in, or the end. */
  #close(
    { id, type }: WaitingEvent,
    outcome: EventOutcome,
    spentNanos: number,
    { state, asked }: { state?: string; asked: Question | null } = { asked: null },
  ): void {
    const record = this.#store.record()
    if (record === null) return // erased meanwhile
    const at = this.#now()
    const { maxHistory } = record.limits
    this.#store.transaction(() => {
      if (state !== undefined) this.#store.saveState(state)
      this.#store.finish(id)
      this.#store.saveRecord({
        ...record,
        [outcome.what]: record[outcome.what] + 1,
        spentNanos: record.spentNanos + spentNanos,
        activeAt: at,
        ...(asked === null ? {} : { asked: { ...asked, at } }),
      })
      this.#store.note({ at, event: id, type, ...outcome }, maxHistory)
      if (asked !== null) this.#store.note({ at, what: 'asked', event: id, type: asked.answerType }, maxHistory)
    })
  }

  #retry({ id, type }: WaitingEvent, attempt: number, why: string, spentNanos: number): void {
    const record = this.#store.record()
    if (record === null) return
    const at = this.#now()
    this.#store.transaction(() => {
      this.#store.saveAttempt(id, attempt, at + retryDelayMs(attempt))
      this.#store.saveRecord({ ...record, spentNanos: record.spentNanos + spentNanos })
      this.#store.note({ at, what: 'retried', event: id, type, why }, record.limits.maxHistory)
    })
  }
}

/** Ends a live object, with a row in its history. */
export function endLife(store: LiveStore, record: LiveRecord, reason: LiveEnd, why: string, at: number): void {
  store.transaction(() => {
    store.saveRecord({ ...record, ended: { reason, why, at } })
    store.note({ at, what: 'ended', why: `${reason}: ${why}` }, record.limits.maxHistory)
  })
}
