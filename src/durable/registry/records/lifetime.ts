import type { Survival } from '../../../core/cache/survival-curve.ts'

/** How long entries of one model, retention and class of size stay readable, as an account has seen it. */
export interface LifetimeView {
  provider: string
  model: string
  retention: string
  /** Class of size: `SIZE_ENDS` has its bounds. */
  size: number
  /** Answers about this class itself, the older ones counted in part. */
  samples: number
  /** Start of the last request that taught something about the model. */
  at: number
  ttlMs: number
  assumed: boolean
  curve: Survival
  /** Time from the last use of such a prefix to its keep-alive; null: keep-alives do not renew it. */
  intervalMs: number | null
  /** The same by the retention alone. */
  usualMs: number
  /** False: the price is not known, so that nothing earlier can be shown to pay. */
  isPriced: boolean
}
