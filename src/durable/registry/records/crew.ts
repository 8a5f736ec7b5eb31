import type { FailureValue } from '../../../contract/failure.ts'
import type { CrewCall, CrewStrategy } from '../../../core/fan-out/crew.ts'
import type { Asked } from '../../../core/cache/required.ts'
import type { Registration } from '../../../registration/registration.ts'
import type { Receipt } from '../../../core/prefix/receipt.ts'

/** A call of a crew's, its end included. */
export interface CrewWarm extends CrewCall {
  /** Number of its prefix; null where there is none to warm. */
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
  /** What they share, whether or not it is written by a call of its own. */
  shared: { estimatedTokens: number; path: string } | null
}

/** A crew that is warmed together. The row is the truth; what runs is found again after an eviction. */
export interface Crew {
  id: string
  strategy: CrewStrategy
  atOnce: number
  createdAt: number
  finishedAt: number | null
  /** Rises with every change, so that whoever watches can tell what they have seen. */
  revision: number
  groups: CrewGroupInfo[]
  heads: (CrewWarm | null)[]
  agents: CrewAgentWarm[]
}

/** What the Worker sends to begin with: everything prepared at the door. */
export interface CrewOrder {
  id: string
  strategy: CrewStrategy
  atOnce: number
  groups: CrewGroupInfo[]
  /** By group; null: no call of its own. */
  heads: (Registration | null)[]
  agents: {
    name: string | null
    group: number | null
    registration: Registration | null
    required: Asked | null
    /** Why there is nothing to warm for this agent. */
    failure: FailureValue | null
    skipped: string
  }[]
}
