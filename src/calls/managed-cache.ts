import { failureValue } from '../contract/failure.ts'
import { displayNameOf } from '../core/managed-cache/ownership.ts'
import { cardById } from '../runtime/cards.ts'
import { withCredentials } from '../providers/dialects/shared/credentials.ts'
import { unpack } from '../runtime/bytes.ts'
import { openedCredentials } from '../runtime/seal.ts'
import type { Clock } from '../runtime/clock.ts'
import { heldByKillSwitch } from '../runtime/kill-switch.ts'
import { accessTo } from '../runtime/env.ts'
import type { Access, Environment } from '../runtime/env.ts'
import { callManagedCache, failedAnswer } from './managed-cache-request.ts'
import type { ManagedCacheAnswer } from './managed-cache-request.ts'
import { accessWith } from './credential.ts'
import type { StoredCredential } from './credential.ts'
import type { ManagedCacheLease, ManagedCacheOutcome } from './lease.ts'
import type { ManagedCacheDialect, ManagedCacheRequest } from '../providers/managed-cache/dialect.ts'
import { directoryAt, registryAt } from '../runtime/objects.ts'

export interface ManagedCacheCallContext {
  env: Environment
  clock: Clock
  allowedSecrets: readonly string[]
  /** The account's own credential that the lease names, still sealed. */
  credentials: readonly StoredCredential[]
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
    access = accessWith(lease, accessTo(card, env), context.allowedSecrets, context.credentials, env)
    request = await requestFor(lease, dialect, access.baseUrl, context)
  } catch (thrown) {
    return outcomeOf(base, startedAt, failedAnswer(thrown, false))
  }
  if (request === null) return { ...base, startedAt, kind: 'not_sent', why: 'the managed cache was deleted' }
  const sentAt = clock.now()
  // A deletion ends a cost, so the kill switch does not hold it.
  const held = lease.op === 'delete' ? undefined : () => heldByKillSwitch(env, clock)
  const answer = await callManagedCache(access, dialect, request, clock, lease.timeoutMs, held)
  if (answer.kind === 'held') return { ...base, startedAt: sentAt, kind: 'not_sent', why: answer.why }
  if (answer.kind !== 'answered' || lease.op === 'delete') return outcomeOf(base, sentAt, answer)
  try {
    return { ...base, startedAt: sentAt, kind: 'answered', seen: dialect.read(answer.text) }
  } catch (thrown) {
    return outcomeOf(base, sentAt, failedAnswer(thrown, null))
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

async function requestFor(
  lease: ManagedCacheLease,
  dialect: ManagedCacheDialect,
  baseUrl: string,
  context: ManagedCacheCallContext,
): Promise<ManagedCacheRequest | null> {
  const { op, name, model, ttlMs } = lease
  if (op === 'create') {
    const [body, deployment] = await Promise.all([
      context.bodyOf(lease.target.k),
      directoryAt(context.env).deploymentId(),
    ])
    if (body === null) return null
    const stored = unpack(body)
    const { contentCredentials: sealed } = lease
    const text = sealed === undefined ? stored : withCredentials(stored, openedCredentials(sealed, context.env))
    return dialect.create({ model, text }, displayNameOf(deployment, lease.fingerprint), ttlMs, baseUrl)
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
  const registry = registryAt(context.env, account)
  let next: ManagedCacheLease | null = lease
  while (next !== null) {
    const outcome: ManagedCacheOutcome = await runManagedCacheLease(next, {
      ...context,
      bodyOf: (k) => registry.handleBody(k),
    })
    next = await registry.settleHandle(outcome)
  }
}
