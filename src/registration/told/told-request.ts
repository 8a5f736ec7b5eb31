import type { Usage } from '../../core/model/usage.ts'

/** One real request, as a trace or a log of another program tells it. */
export interface ToldRequest {
  /** Hash that identifies it among all that are told. */
  key: string
  /** Hash of the call above it with the same tokens, which repeats it if it is told later. */
  above?: string
  /** Hash under which a call below it would have named it as such. */
  asAbove?: string
  /** Ids and names that may be those of its prefix, the surest first. */
  prefixes: readonly string[]
  /** Providers that may be meant, the likeliest first, and names of the model. */
  providers: readonly string[]
  models: readonly string[]
  startedAt: number
  ttftMs: number | null
  usage: Usage
}

/** What became of one: it counts for its prefix, it counts for its provider and model alone, or it does not count. */
export type ToldVerdict = 'matched' | UnnamedWhy | 'duplicate' | 'repeated'

/** Why a request that was told counts for no prefix. */
export type UnnamedWhy = 'no_prefix' | 'no_such_prefix' | 'other_provider' | 'other_model'

/** How long a call is known again. An older one is not taken. */
export const TOLD_MS = 24 * 3_600_000
