import type { LiveLimits } from '../../core/conversation/lifecycle.ts'
import type { LiveView } from './definition.ts'
import type { LiveHistoryRow, LiveRecord, LiveStore, WaitingEvent } from './tables.ts'

/** Content of a snapshot of a live object. */
export interface SavedObject {
  record: LiveRecord
  state: unknown
  mailbox: WaitingEvent[]
  seen: string[]
  history: LiveHistoryRow[]
}

export function savedOf(store: LiveStore, record: LiveRecord): SavedObject {
  return {
    record,
    state: JSON.parse(store.state()) as unknown,
    mailbox: store.mailbox(),
    seen: store.seen(),
    history: store.history(),
  }
}

/** Starts a new object from a saved one, without its end or pause. */
export function restoreInto(store: LiveStore, saved: SavedObject, limits: Partial<LiveLimits>, now: number): void {
  const { pausedAt: _, ...going } = saved.record
  const record = { ...going, limits: { ...going.limits, ...limits }, activeAt: now, ended: null }
  store.transaction(() => {
    store.create(record, JSON.stringify(saved.state))
    for (const row of saved.history) store.note(row, record.limits.maxHistory)
    for (const id of saved.seen) store.remember(id)
    for (const event of saved.mailbox) store.push({ ...event, nextAt: now })
    store.note({ at: now, what: 'restored' }, record.limits.maxHistory)
  })
}

/** A view without the state. */
export type LiveSummary = Omit<LiveView<unknown>, 'state'>

export function viewOf<State>(store: LiveStore, record: LiveRecord): LiveView<State> {
  return { ...summaryOf(store, record), state: JSON.parse(store.state()) as State }
}

export function summaryOf(store: LiveStore, record: LiveRecord): LiveSummary {
  const { ended, pausedAt, asked, limits, startedAt, activeAt, spentNanos, handled, dropped, failed } = record
  return {
    status: ended?.reason ?? (pausedAt !== undefined ? 'paused' : asked === undefined ? 'running' : 'input_required'),
    question: asked?.question ?? null,
    why: ended?.why ?? null,
    endedAt: ended?.at ?? null,
    waiting: store.waiting(),
    history: store.history(),
    limits,
    startedAt,
    activeAt,
    spentNanos,
    handled,
    dropped,
    failed,
  }
}
