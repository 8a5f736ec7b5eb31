import { failureValue } from '../contract/failure.ts'
import { displayNameOf } from '../core/managed-cache/ownership.ts'
import { cardById } from '../providers/registry.ts'
import { unpack } from '../runtime/bytes.ts'
import type { Clock } from '../runtime/clock.ts'
import { accessTo } from '../runtime/env.ts'
import type { Access, Environment } from '../runtime/env.ts'
import { callManagedCache, failedAnswer } from './managed-cache-request.ts'
import type { ManagedCacheAnswer } from './managed-cache-request.ts'
import { accessWith } from './credential.ts'
import type { StoredCredential } from './credential.ts'
import type { ManagedCacheLease, ManagedCacheOutcome } from './lease.ts'
import type { ManagedCacheDialect, ManagedCacheRequest } from '../providers/managed-cache/dialect.ts'

export interface ManagedCacheCallContext {
  env: Environment
  clock: Clock
  allowedSecrets: readonly string[]
  /** The account's own credential that the lease names, still sealed. */
  credentials: readonly StoredCredential[]
  /** The contents as they were given, compressed; null when they are gone. Asked for creations only. */
  bodyOf: (k: number) => Promise<Uint8Array | null>
}

/** Uses a lease about a handle: one call, sent once. Never throws; whatever happens is an outcome to settle. */
export async function runManagedCacheLease(
  lease: ManagedCacheLease,
  around: ManagedCacheCallContext,
): Promise<ManagedCacheOutcome> {
  const { clock, env } = around
  const base = { lease: lease.id, target: lease.target }
  const startedAt = clock.now()
  if (startedAt > lease.sendBy) return { ...base, startedAt, kind: 'not_sent', why: 'its time had passed' }
  const card = cardById(lease.provider)
  const dialect = card?.managedCaches
  if (card === undefined || dialect === undefined) {
    const failure = failureValue('unsupported', 'this provider has no managed caches (any more)')
    return { ...base, startedAt, kind: 'failed', failure, permanent: true, retryAfterMs: null, accepted: false }
  }
  let access: Access
  let request: ManagedCacheRequest | null
  try {
    access = accessWith(lease, accessTo(card, env), around.allowedSecrets, around.credentials, env)
    request = await requestFor(lease, dialect, access.baseUrl, around)
  } catch (thrown) {
    return outcomeOf(base, startedAt, failedAnswer(thrown, false))
  }
  if (request === null) return { ...base, startedAt, kind: 'not_sent', why: 'the managed cache is gone' }
  const sentAt = clock.now()
  const answer = await callManagedCache(access, dialect, request, clock, lease.timeoutMs)
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
  answer: ManagedCacheAnswer,
): ManagedCacheOutcome {
  return answer.kind === 'answered'
    ? { ...base, startedAt, kind: 'answered', seen: null }
    : { ...base, startedAt, ...answer }
}

async function requestFor(
  lease: ManagedCacheLease,
  dialect: ManagedCacheDialect,
  baseUrl: string,
  around: ManagedCacheCallContext,
): Promise<ManagedCacheRequest | null> {
  const { op, name, model, ttlMs } = lease
  if (op === 'create') {
    const [body, deployment] = await Promise.all([
      around.bodyOf(lease.target.k),
      around.env.DIRECTORY.getByName('directory').deploymentId(),
    ])
    if (body === null) return null
    return dialect.create({ model, text: unpack(body) }, displayNameOf(deployment, lease.fingerprint), ttlMs, baseUrl)
  }
  if (name === null) return null
  if (op === 'renew') return dialect.renew(name, ttlMs)
  return op === 'verify' ? dialect.get(name) : dialect.remove(name)
}

/** From a lease to the end of what it leads to: one that finds its handle gone is followed by a creation. */
export async function runManagedCacheToEnd(
  lease: ManagedCacheLease,
  around: Omit<ManagedCacheCallContext, 'bodyOf'>,
  account: string,
): Promise<void> {
  const registry = around.env.REGISTRY.getByName(account)
  let next: ManagedCacheLease | null = lease
  while (next !== null) {
    const outcome: ManagedCacheOutcome = await runManagedCacheLease(next, {
      ...around,
      bodyOf: (k) => registry.handleBody(k),
    })
    next = await registry.settleHandle(outcome)
  }
}
