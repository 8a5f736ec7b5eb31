import type { Asked } from '../../../core/cache/required.ts'
import type { KeepWarm } from '../../../core/planning/plan.ts'
import type { Registration } from '../../../registration/registration.ts'

/** A model of a pool that is warmed if those before it fail. */
export interface FallbackOrder {
  registration: Registration
  required: Asked | null
  /** Whether its call may be sent though its price is unknown. */
  unpriced: boolean
}

/** The same once its prefix is registered. It gets its label and its plan when it is warmed. */
export interface FallbackLink {
  prefixId: string
  /** Whether this chain registered it: then it is deleted again if it is never needed. */
  created: boolean
  name: string | null
  keepWarm: KeepWarm | null
  /** Whether its call may be sent though its price is unknown. */
  unpriced: boolean
  required: Asked | null
}

/** The models after the one whose job runs, in their order. */
export interface FallbackChain {
  job: string
  links: FallbackLink[]
}
