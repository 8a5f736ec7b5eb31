import { failureValue } from '../contract/failure.ts'
import type { FailureKind } from '../contract/failure.ts'
import { chooseListed, DISPLAY_FINGERPRINT_LENGTH, displayNameOf, markScope } from '../core/managed-cache/ownership.ts'
import { cardById } from '../runtime/cards.ts'
import { withCredentials } from '../providers/dialects/shared/credentials.ts'
import { unpack } from '../runtime/bytes.ts'
import { managedCacheMark } from '../runtime/ids.ts'
import { openedCredentials } from '../runtime/seal.ts'
import type { Clock } from '../runtime/clock.ts'
import { heldByKillSwitch } from '../runtime/kill-switch.ts'
import { accessTo } from '../runtime/env.ts'
import type { Access, Environment } from '../runtime/env.ts'
import { listManagedCaches } from './managed-cache-list.ts'
import { directoryAt, registryAt } from '../runtime/objects.ts'
import { callManagedCache, failedAnswer } from './managed-cache-request.ts'
import type { ManagedCacheAnswer } from './managed-cache-request.ts'
import { accessWith, DEFAULT_CREDENTIAL } from './credential.ts'
import { inSpan, managedCacheSpan } from './span.ts'
import type { Attributes, Tracer } from './span.ts'
import type { StoredCredential } from './credential.ts'
import type { ManagedCacheLease, ManagedCacheOutcome } from './lease.ts'
import type { ManagedCacheDialect, ManagedCacheRequest } from '../providers/managed-cache/dialect.ts'

export interface ManagedCacheCallContext {
  env: Environment
  clock: Clock
  allowedSecrets: readonly string[]
  /** The account's own credential that the lease names, still sealed. */
  credentials: readonly StoredCredential[]
  /** Records each call as a span; absent: none does. */
  tracer?: Tracer | undefined
  /** Reads the cache's contents as they were registered, gzipped; null when they were deleted. Only creations read them. */
  bodyOf: (k: number) => Promise<Uint8Array | null>
}

/** Makes the one call of a managed-cache lease. Never throws: each failure is an outcome to settle. */
export async function runManagedCacheLease(
  lease: ManagedCacheLease,
  context: ManagedCacheCallContext,
): Promise<ManagedCacheOutcome> {
  const { clock, env } = context
  const base = { lease: lease.id, target: lease.target }
  const startedAt = clock.now()
  if (startedAt > lease.sendBy) return { ...base, startedAt, kind: 'not_sent', why: 'its deadline had passed' }
  const card = cardById(lease.provider)
  const dialect = card?.managedCaches
  if (card === undefined || dialect === undefined) {
    const failure = failureValue('unsupported', 'this provider does not support managed caches')
    return { ...base, startedAt, kind: 'failed', failure, permanent: true, retryAfterMs: null, accepted: false }
  }
  let access: Access
  let request: ManagedCacheRequest | null
  try {
    access = accessWith(lease, accessTo(card, env, lease.region), context.allowedSecrets, context.credentials, env)
    if (lease.adopts !== undefined && lease.op === 'create') {
      const found = await adopted(lease, lease.adopts, dialect, access, context)
      if (found !== null) return { ...base, startedAt, ...found }
    }
    request = await requestFor(lease, dialect, access.baseUrl, context)
  } catch (thrown) {
    return outcomeOf(base, startedAt, failedAnswer(thrown, false))
  }
  if (request === null) return { ...base, startedAt, kind: 'not_sent', why: 'the managed cache was deleted' }
  const sentAt = clock.now()
  const call = request
  // A deletion ends a cost, so the kill switch does not hold it.
  const held = lease.op === 'delete' ? undefined : () => heldByKillSwitch(env, clock)
  const send = () => callManagedCache(access, dialect, call, clock, lease.timeoutMs, held)
  const told = (answer: ManagedCacheAnswer) => spanOf(answer, lease, dialect)
  const answer = await inSpan(context.tracer, managedCacheSpan(lease, card), send, told)
  // As a failure it ends the wait of those who asked, who would ask again at once.
  if (answer.kind === 'held') return outcomeOf(base, sentAt, neverSent('forbidden', answer.why, false))
  if (answer.kind === 'gone' && lease.op === 'create')
    return outcomeOf(
      base,
      sentAt,
      neverSent('provider_rejected', 'the provider does not know what was asked for', true),
    )
  if (answer.kind !== 'answered' || lease.op === 'delete') return outcomeOf(base, sentAt, answer)
  try {
    return { ...base, startedAt: sentAt, kind: 'answered', seen: dialect.read(answer.text) }
  } catch (thrown) {
    return outcomeOf(base, sentAt, failedAnswer(thrown, null))
  }
}

function neverSent(kind: FailureKind, message: string, permanent: boolean): ManagedCacheAnswer & { kind: 'failed' } {
  return { kind: 'failed', failure: failureValue(kind, message), permanent, retryAfterMs: null, accepted: false }
}

/** Attributes of an answer, for its span. A creation writes the contents into the cache. */
function spanOf(answer: ManagedCacheAnswer, { op }: ManagedCacheLease, dialect: ManagedCacheDialect): Attributes {
  if (answer.kind === 'failed') return { 'error.type': answer.failure.kind }
  if (answer.kind === 'held') return {}
  if (answer.kind === 'gone') return op === 'delete' ? {} : { 'error.type': 'not_found' }
  if (op !== 'create') return {}
  try {
    return { 'gen_ai.usage.cache_creation.input_tokens': dialect.read(answer.text).tokens ?? undefined }
  } catch {
    return { 'error.type': 'unreadable_answer' }
  }
}

function outcomeOf(
  base: Pick<ManagedCacheOutcome, 'lease' | 'target'>,
  startedAt: number,
  answer: Exclude<ManagedCacheAnswer, { kind: 'held' }>,
): ManagedCacheOutcome {
  return answer.kind === 'answered'
    ? { ...base, startedAt, kind: 'answered', seen: null }
    : { ...base, startedAt, ...answer }
}

function scopeOf(
  { credential = DEFAULT_CREDENTIAL, credentialGeneration = 1 }: ManagedCacheLease,
  { credentials }: ManagedCacheCallContext,
): string {
  const own = credentials.find(({ name }) => name === credential)
  if (credential === DEFAULT_CREDENTIAL || own === undefined) return markScope(null)
  return markScope({ account: own.account, credential, credentialGeneration })
}

/**
 * A cache of ours with the content of the lease, from the provider's own list: the registry that outlives every table and every lost answer.
 * Null: none is listed. A list that cannot be read is a failure of the creation, which has then not been sent: it may exist.
 */
async function adopted(
  lease: ManagedCacheLease,
  known: NonNullable<ManagedCacheLease['adopts']>,
  dialect: ManagedCacheDialect,
  access: Access,
  context: ManagedCacheCallContext,
) {
  const { clock, env } = context
  const { deployment, key } = await directoryAt(env).managedCacheMarks()
  const reader = { deployment, key, scope: scopeOf(lease, context) }
  const listed = await listManagedCaches(access, dialect, reader, clock, lease.timeoutMs, true)
  if (listed.kind === 'gone') {
    const failure = failureValue('provider_key_refused', 'The credential may not list the managed caches.')
    return { kind: 'failed' as const, failure, permanent: true, retryAfterMs: null, accepted: false as const }
  }
  if (listed.kind === 'failed') return { ...listed, accepted: false as const }
  const print = lease.fingerprint.slice(0, DISPLAY_FINGERPRINT_LENGTH)
  const ours = listed.caches.filter((one) => one.trusted && one.print === print)
  const { adopted: seen, surplus } = chooseListed(ours, known, clock.now())
  return seen === null ? null : { kind: 'answered' as const, seen, adopted: { surplus } }
}

async function requestFor(
  lease: ManagedCacheLease,
  dialect: ManagedCacheDialect,
  baseUrl: string,
  context: ManagedCacheCallContext,
): Promise<ManagedCacheRequest | null> {
  const { op, name, model, ttlMs } = lease
  if (op === 'create') {
    const [body, { deployment, key }] = await Promise.all([
      context.bodyOf(lease.target.k),
      directoryAt(context.env).managedCacheMarks(),
    ])
    if (body === null) return null
    const stored = unpack(body)
    const { contentCredentials: sealed } = lease
    const text = sealed === undefined ? stored : withCredentials(stored, openedCredentials(sealed, context.env))
    const at = context.clock.now()
    const parts = { deployment, fingerprint: lease.fingerprint, model, scope: scopeOf(lease, context), at }
    const displayName = displayNameOf(parts, (signed) => managedCacheMark(signed, key))
    return dialect.create({ model, text }, displayName, ttlMs, baseUrl)
  }
  if (name === null) return null
  if (op === 'renew') return dialect.renew(name, ttlMs)
  return op === 'verify' ? dialect.get(name) : dialect.remove(name)
}

/** Runs a lease and the leases that its settlement returns: after a call that found the cache gone, a creation follows. */
export async function runManagedCacheToEnd(
  lease: ManagedCacheLease,
  context: Omit<ManagedCacheCallContext, 'bodyOf'>,
  account: string,
): Promise<void> {
  // A new stub each time: the Registry may restart during a call, which breaks older ones.
  const registry = () => registryAt(context.env, account)
  let next: ManagedCacheLease | null = lease
  while (next !== null) {
    const outcome: ManagedCacheOutcome = await runManagedCacheLease(next, {
      ...context,
      bodyOf: (k) => registry().handleBody(k),
    })
    next = await registry().settleHandle(outcome)
  }
}
