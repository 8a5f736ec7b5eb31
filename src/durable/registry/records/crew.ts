import type { FailureValue } from '../../../contract/failure.ts'
import type { CrewCall, CrewStrategy } from '../../../core/fan-out/crew.ts'
import type { Asked } from '../../../core/cache/required.ts'
import type { Registration } from '../../../registration/registration.ts'
import type { Receipt } from '../../../core/prefix/receipt.ts'

/** A call of a crew, with its result. */
export interface CrewWarm extends CrewCall {
  /** Key of its prefix. Null: there is no prefix to warm. */
  k: number | null
  prefixId: string | null
  jobId: string | null
  receipt: Receipt | null
  failure: FailureValue | null
  /** Why it was skipped; empty otherwise. */
  why: string
}

export interface CrewAgentWarm extends CrewWarm {
  name: string | null
  required: Asked | null
  /** Its caller's word stands for a call at an unknown price; absent: none. */
  unpriced?: true
}

/** Agents that share a provider, a model, a credential, a key and perhaps a head. */
export interface CrewGroupInfo {
  provider: string
  model: string
  credential: string
  cacheKey: string | null
  retention: string
  members: number[]
  why: string
  /** The head that they share, whether or not a call of its own writes it. */
  shared: { estimatedTokens: number; path: string } | null
}

/** A crew, which is warmed together. All state is in its row, so that an eviction loses nothing. */
export interface Crew {
  id: string
  strategy: CrewStrategy
  atOnce: number
  createdAt: number
  finishedAt: number | null
  /** Rises with every change, so that a client can wait for the next one. */
  revision: number
  groups: CrewGroupInfo[]
  heads: (CrewWarm | null)[]
  agents: CrewAgentWarm[]
}

/** The order to warm a crew, prepared by the Worker. */
export interface CrewOrder {
  id: string
  strategy: CrewStrategy
  atOnce: number
  groups: CrewGroupInfo[]
  /** Shared heads, by group. Null: no call of its own writes the head. */
  heads: (Registration | null)[]
  agents: {
    name: string | null
    group: number | null
    registration: Registration | null
    required: Asked | null
    unpriced?: true
    /** Why there is nothing to warm for this agent: a failure, or the reason that it is skipped. */
    failure: FailureValue | null
    skipped: string
  }[]
}
