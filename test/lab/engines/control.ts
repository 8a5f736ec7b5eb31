import * as z from 'zod'
import { ENGINES } from './engines.ts'
import type { EngineSettings } from './engines.ts'

/** What `POST /_lab/engines` takes: how an engine is started. */
export const engineChange = z.strictObject({
  engine: z.enum(ENGINES),
  slots: z.int().min(1).max(64).optional(),
  host_cache_tokens: z.int().min(0).optional(),
  capacity_tokens: z.int().min(1).optional(),
  context_tokens: z.int().min(1).optional(),
  head_tokens: z.int().min(0).optional(),
  reports_cached: z.boolean().optional(),
  idle_ms: z.number().min(0).nullable().optional(),
  reading_ms: z.number().min(0).optional(),
})

export function changedSettings(change: z.infer<typeof engineChange>): Partial<EngineSettings> {
  const renamed = {
    slots: change.slots,
    hostCacheTokens: change.host_cache_tokens,
    capacityTokens: change.capacity_tokens,
    contextTokens: change.context_tokens,
    headTokens: change.head_tokens,
    reportsCached: change.reports_cached,
    idleMs: change.idle_ms,
    readingMs: change.reading_ms,
  }
  return Object.fromEntries(Object.entries(renamed).filter(([, value]) => value !== undefined))
}
