import type { LearnSetting, LintSetting } from '../../contract/account.ts'
import type { Arrival } from '../../core/events/arrived.ts'
import type { EditCall } from '../../core/ledger/edit-trial.ts'
import type { Usage } from '../../core/model/usage.ts'
import type { Lookup } from '../lookup.ts'
import type { Registration } from '../registration.ts'

/** What one call through the gateway teaches of beginnings that nothing is registered for. */
export interface Lesson {
  provider: string
  model: string
  at: number
  /** Hash of its session, below 2^32. */
  session: number
  usage: Usage
  /** Where a prefix could end in its body, the shortest first, with the estimated tokens up to there. */
  ends: readonly { entry: Lookup; tokens: number }[]
  /** The whole body; null: its last end is that. */
  whole: Lookup | null
}

/** Whose a call was. `self` and `parent` are hashes of the agents' names; null: the call names none. */
export interface AgentsOfCall {
  self: string | null
  parent: string | null
  startedAt: number
  endedAt: number
}

/** A call of an agent. `prefix`: id of the registered prefix that it began with; null: with none. */
export interface AgentCall extends AgentsOfCall {
  prefix: string | null
}

/** A call through the gateway that asked for an edit. `model`: the name by which entries are told apart. */
export interface EditSeen extends EditCall {
  provider: string
  model: string
}

/** What the gateway must know of an account to learn from its calls. */
export interface LearningOrder {
  learn: LearnSetting
  lint: LintSetting
  /** Key of the hashes of the account's candidates. */
  salt: string
  /** Candidates whose next call is to be registered. */
  wanted: { id: string; name: string | null }[]
  allowedSecrets: string[]
  /** Providers and models, as `provider model`, of which no body is edited now. Absent: none. */
  aside?: string[]
}

/** A body that passed, as it is registered. */
export interface PassedBody {
  registration: Registration
  /** Lookups of the prefixes that it begins with, the longest first. */
  entries: readonly Lookup[]
  arrival: Arrival
  /** Whose call it was; absent: its headers do not say. */
  agents?: AgentsOfCall
  /** The candidate that is registered with it; null: the label, or the setting of the account, asks for it. */
  candidate: string | null
}

/** What became of it. `entry`: its lookup. `booked`: the call was counted too. */
export interface RegisteredByUse {
  id: string
  entry: Lookup | null
  created: boolean
  booked: boolean
}

/** Why the prefix of a body that passed was not registered. It quotes nothing of the prompt. */
export interface RefusedByUse {
  at: number
  provider: string
  name: string | null
  kind: string
  field: string | null
  message: string
}
