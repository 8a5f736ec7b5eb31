import type { Lifetime } from '../../../contract/lifetime.ts'
import { readFailure } from '../../../contract/failure.ts'
import { learnedRetention } from '../../../core/cache/retention.ts'
import { restart } from '../../../core/events/restarted.ts'
import type { TokenBound } from '../../../core/prompt/token-bound.ts'
import { isOneShot } from '../../../core/prefix/lifetime.ts'
import type { PrefixState } from '../../../core/prefix/state.ts'
import type { Registration } from '../../../registration/registration.ts'
import { factsModelOf } from '../../../registration/record.ts'
import type { PrefixRecord } from '../../../registration/record.ts'
import type { ProbeSchedulerPorts } from '../probes/context.ts'
import type { ProbeScheduler } from '../probes/scheduler.ts'
import type { RegistryStore } from '../tables/tables.ts'

/**
 * Applies a registration of content that is known already: its body where the first was never accepted or names another server, its mode and
 * its base model.
 */
export function registerAgain(
  store: RegistryStore,
  scheduler: ProbeScheduler,
  ports: Pick<ProbeSchedulerPorts, 'factsOf'>,
  k: number,
  registration: Registration,
  now: number,
): void {
  replaceBody(store, scheduler, ports, k, registration, now)
  const record = store.prefixes.record(k)
  if (record === null) return
  // A caller who names no mode, or no base model, leaves it as it is.
  const required = registration.required ?? record.required ?? false
  const { baseModel = record.baseModel, cacheOpen = record.cacheOpen } = registration
  const bound = lower(record.bound, registration.bound)
  const { lifetime } = registration
  // A registration is newer than what requests told, so that it holds in both directions.
  if (lifetime !== undefined && lifetime !== store.states.load(k)?.lifetime)
    scheduler.replan(k, now, (state) => told(state, lifetime, now))
  if (registration.cacheOpen === true)
    scheduler.applyTransition(k, now, (state) => ({ state: askedAgain(state), rows: [] }))
  const isSameWish = required === (record.required ?? false) && cacheOpen === record.cacheOpen
  if (isSameWish && baseModel === record.baseModel && bound === record.bound) return
  store.prefixes.saveRecord(k, {
    ...record,
    required,
    ...(baseModel === undefined ? {} : { baseModel }),
    ...(cacheOpen === undefined ? {} : { cacheOpen }),
    ...(bound === undefined ? {} : { bound }),
  })
}

/** A prefix whose caller tells how long its session lives. A plan that rests because of what was told before goes on. */
function told(state: PrefixState, lifetime: Lifetime, now: number): PrefixState {
  const after = { ...state, lifetime }
  return state.stopped?.reason === 'one_shot' && !isOneShot(after) ? restart(after, now) : after
}

/** A caller who leaves the kind of cache open again ends the wait after a managed cache that was in vain. */
function askedAgain(state: PrefixState): PrefixState {
  if (state.managed?.notBeforeAt === undefined) return state
  const { notBeforeAt: _, failed: __, ...managed } = state.managed
  return { ...state, managed }
}

/** Both hold for one content, so the lower one does. A row without a bound keeps to what was measured of it. */
function lower(known: TokenBound | undefined, given: TokenBound | undefined): TokenBound | undefined {
  if (known === undefined || given === undefined || given.most === null) return known
  return known.most === null || given.most < known.most ? given : known
}

/**
 * Replaces the body of a prefix by the one that is registered now, where no call with the old one was ever answered, where the new one names
 * another server, or where the old one cannot be opened. Bodies of one content may differ in what no provider caches by: markers, sampling, limits. What was refused of one says
 * nothing of the other, and neither does what one server holds.
 */
function replaceBody(
  store: RegistryStore,
  scheduler: ProbeScheduler,
  ports: Pick<ProbeSchedulerPorts, 'factsOf'>,
  k: number,
  registration: Registration,
  now: number,
): void {
  const state = store.states.load(k)
  const record = store.prefixes.record(k)
  if (state === null || record === null) return
  const hasMoved = isElsewhere(record, registration)
  const held = bodyOf(store, k)
  // Nothing else can be sent where there is no body. Otherwise the answer in flight would be about the former one.
  if (held !== null && scheduler.inFlight(k) !== null) return
  if (held !== null && ((state.lastReceipt !== null && !hasMoved) || isSame(held, registration.body))) return
  store.prefixes.replace(k, withContent(record, registration), registration.body)
  const { retentions } = ports.factsOf(record.provider, factsModelOf(record), now)
  const offer = retentions.find(({ name }) => name === registration.retention)
  const learned = offer === undefined ? null : learnedRetention(offer)
  const retention = registration.retention === record.retention ? state.retention : learned
  const why = replacedWhy(held !== null, hasMoved)
  scheduler.applyTransition(k, now, (before) => {
    const kept = hasMoved ? withoutEntry(before) : before
    return {
      state: {
        ...(hasMoved || wasRefused(kept) || wasErased(kept) ? restart(kept, now) : kept),
        primitiveIndex: 0,
        retention,
      },
      rows: [{ at: now, type: 'decision', decision: 'body_replaced', why }],
    }
  })
}

function replacedWhy(isReadable: boolean, hasMoved: boolean): string {
  if (!isReadable)
    return 'the stored body was erased, or cannot be opened, because its key was forgotten: this one of the same content replaces it'
  return hasMoved
    ? 'the body that is registered now names another server, and servers share no cache: this one replaces it'
    : 'no call with the body that was registered first was ever answered: this one of the same content replaces it'
}

/** The stored body; null where it was erased, or cannot be opened, because its key was forgotten. Then no call can be made with it. */
function bodyOf(store: RegistryStore, k: number): ReturnType<RegistryStore['prefixes']['body']> {
  try {
    return store.prefixes.body(k)
  } catch (thrown) {
    if (readFailure(thrown)?.kind === 'not_found') return null
    throw thrown
  }
}

/** Whether a body names another server than the registered one. Older rows do not say it. */
function isElsewhere({ routing }: PrefixRecord, given: Registration): boolean {
  return routing !== undefined && given.routing !== undefined && routing !== given.routing
}

/** The state of a prefix whose entry is not where its calls go from now on. */
function withoutEntry({ inside: _inside, drift: _drift, ...before }: PrefixState): PrefixState {
  return { ...before, verdict: 'none', anchorAt: null, readZeroInRow: 0, readZeroGapMs: null }
}

/** The record with what belongs to the new body. Name, plan and mode are the caller's to change elsewhere. */
function withContent(record: PrefixRecord, registration: Registration): PrefixRecord {
  const {
    body: _body,
    keepWarm: _plan,
    required: _mode,
    name: _name,
    credentials: _credentials,
    lifetime: _lifetime,
    ...content
  } = registration
  const { id, fingerprint, createdAt, name, version, superseded, keepWarm, required, newer, olders, cacheOpen } = record
  return {
    ...content,
    id,
    fingerprint,
    createdAt,
    name,
    version,
    superseded,
    keepWarm,
    ...(required === undefined ? {} : { required }),
    ...(cacheOpen === undefined ? {} : { cacheOpen }),
    ...(newer === undefined ? {} : { newer }),
    ...(olders === undefined ? {} : { olders }),
  }
}

function wasRefused({ stopped, lastFailure }: PrefixState): boolean {
  return stopped?.reason === 'provider_refused' || lastFailure?.failure.kind === 'provider_rejected'
}

function wasErased({ stopped }: PrefixState): boolean {
  return stopped?.reason === 'prompt_erased'
}

function isSame(a: Uint8Array | null, b: Uint8Array): boolean {
  return a !== null && a.length === b.length && a.every((byte, index) => byte === b[index])
}
