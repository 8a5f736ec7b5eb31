import type { LiveEnd, LiveLimits } from '../../core/conversation/lifecycle.ts'
import type { LiveHistoryRow } from './tables.ts'

/** What a handler knows of the event before it, and what it may say about it. */
export interface Turn {
  id: string
  /** 1 the first time. More: an earlier try failed or was cut off, and what it did outside may have happened. */
  attempt: number
  now: number
  /** Counts against the budget, in nano-dollars, also when the handler fails afterwards. */
  spend(nanos: number): void
  /**
   * Asks somebody: after this event nothing is handled until `respond`, and its answer is the next event, of type `answerType`.
   * Once for each event; what is asked by a handler that fails is not asked.
   */
  ask(question: string, answerType: string): void
}

/** Gives the state after the event. To throw is to be tried again, later, up to five times in all. */
export type Handler<State, Data> = (state: State, data: Data, turn: Turn) => State | Promise<State>

export interface LiveDefinition<State, Events> {
  /** Names the kind of object, and the version of its state: a snapshot fits this kind, up to this version. */
  kind: string
  version: number
  initial: State
  /** What is not said at `start`. With `startsItself`, the first event starts it. */
  limits?: Partial<LiveLimits>
  startsItself?: boolean
  snapshotSecret: string
  /** Hears of an event that was cut off at each of its tries and is set aside, so that what it cost is counted. */
  givenUp?: (type: string, turn: Omit<Turn, 'ask'>) => void
  handlers: { [Type in keyof Events]?: Handler<State, Events[Type]> }
}

export interface LiveView<State> {
  /** A paused one that waits for input says `paused`; `question` is there all the same. */
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
