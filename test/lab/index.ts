/**
 * The lab: a simulator of the providers whose caches Pilotlight keeps warm. In process by `createLab`, over sockets by
 * `worker.ts`; both run the same code. It imports nothing from `src`: a mistake there must not be repeated here.
 */
import { Lab } from './lab.ts'
import type { LabOptions } from './lab.ts'

export { PrefixCache, WarmTable } from './cache-model.ts'
export type { CacheEntry, CachePoint, CacheRequest, CacheResult } from './cache-model.ts'
export type { ClockState } from './clock.ts'
export { ENGINE_DEFAULTS, Engines } from './engines/engines.ts'
export type { EngineName, EngineSettings } from './engines/engines.ts'
export { PARTED, SIMILARITY, SlotCache } from './engines/slot-cache.ts'
export type { PartedPrompt } from './engines/slot-cache.ts'
export type { Fault, FaultKind, FaultRequest } from './faults.ts'
export type { LabOptions } from './lab.ts'
export { Lab } from './lab.ts'
export { memoryStore } from './store.ts'
export type { LabStore, LabTable } from './store.ts'
export type { TranscriptRow } from './transcript.ts'

/** A lab in this process. `fetch` answers every route that the Worker answers, `/_lab` included. */
export function createLab(options: LabOptions): Lab {
  return new Lab(options)
}
