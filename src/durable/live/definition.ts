import type { LiveEnd, LiveLimits } from '../../core/conversation/lifecycle.ts'
import type { BodySeals } from '../../runtime/sealed-bytes.ts'
import type { LiveHistoryRow } from './tables.ts'

/** The event that a handler handles, and its requests about it. */
export interface Turn {
  id: string
  /** Number of this attempt, from 1. Above 1: an earlier attempt failed or was cut off, and its effects outside may have happened. */
  attempt: number
  now: number
  /** Counts against the budget, in nano-dollars, also when the handler fails afterwards. */
  spend(nanos: number): void
  /**
   * Asks a question: no event is handled until `respond`, and the answer becomes the next event, of type `answerType`. At most one
   * question for each event. The question of a handler that fails is dropped.
   */
  ask(question: string, answerType: string): void
}

/** Returns the state after the event. A handler that throws is called again later, up to five times in all. */
export type Handler<State, Data> = (state: State, data: Data, turn: Turn) => State | Promise<State>

export interface LiveDefinition<State, Events> {
  /** Kind of the object and version of its state. Snapshots of the same kind, up to this version, can be restored. */
  kind: string
  version: number
  initial: State
  /** Defaults for limits that `start` does not give. With `startsItself` the first event starts the object. */
  limits?: Partial<LiveLimits>
  startsItself?: boolean
  snapshotSecret: string
  /** Seals what is stored of state and events, with the key that `ready` fetches. Absent: it is stored in clear. */
  seals?: BodySeals & { ready(): Promise<void> }
  /** Called for an event that was cut off in each attempt and is given up, so that its cost is counted. */
  givenUp?: (type: string, turn: Omit<Turn, 'ask'>) => void
  handlers: { [Type in keyof Events]?: Handler<State, Events[Type]> }
}

export interface LiveView<State> {
  /** `paused` also for a paused object that waits for an answer; `question` is then set. */
  status: 'running' | 'paused' | 'input_required' | LiveEnd
  question: string | null
  why: string | null
  startedAt: number
  activeAt: number
  endedAt: number | null
  spentNanos: number
  waiting: number
  handled: number
  dropped: number
  failed: number
  limits: LiveLimits
  state: State
  history: LiveHistoryRow[]
}
