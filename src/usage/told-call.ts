import type { ToldCounts } from './told-counts.ts'

/** One call of a model, as a log or a trace of another program tells it. It holds nothing of a prompt. */
export interface ToldCall {
  /** Identifies the call among all that its tool tells; null: it does not. */
  id: string | null
  /** Provider as the tool spells it; null: it does not say. */
  provider: string | null
  /** Names of the model: the one that was asked for, then the one that answered. */
  models: readonly string[]
  /** When the call began, epoch ms. */
  startedAt: number
  ttftMs: number | null
  counts: ToldCounts
  /** Ids and names of prefixes that it gives, the surest first. */
  prefixes: readonly string[]
}

/** Why a record is no call that can be counted. */
export type LeftOut =
  | 'not_a_model_call'
  | 'failed'
  | 'own_cache'
  | 'own_probe'
  | 'repeated'
  | 'no_model'
  | 'no_id'
  | 'bad_time'
  | 'bad_count'

/** What a record is. `field`: the one that is at fault. */
export type Told = { call: ToldCall } | { leftOut: LeftOut; field?: string }
