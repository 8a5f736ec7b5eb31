/**
 * The package's `./live-object`: the base class of long-lived Durable Objects for Workers of others. It needs nothing else of Pilotlight.
 */

export { FAILURES, Failure, readFailure } from '../../contract/failure.ts'
export type { FailureKind, FailureValue } from '../../contract/failure.ts'
export { LiveObject } from './live-object.ts'
export type { Handler, LiveDefinition, LiveView, Turn } from './definition.ts'
export type { LiveHistoryRow } from './tables.ts'
export type { LiveEnd, LiveLimits } from '../../core/conversation/lifecycle.ts'
export type { Snapshot } from '../../runtime/snapshot.ts'
