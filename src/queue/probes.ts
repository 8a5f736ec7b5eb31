import pLimit from 'p-limit'
import type { ProbeMessage } from '../durable/registry/records/claim.ts'
import { storedBody } from '../registration/stored-body.ts'
import type { Overrides } from '../core/model/overrides.ts'
import { heldByKillSwitch, tellKillSwitch } from '../runtime/kill-switch.ts'
import { freshOverrides } from '../runtime/overrides.ts'
import { clockFrom } from '../runtime/clock.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Environment, Vars } from '../runtime/env.ts'
import { directoryAt, registryAt } from '../runtime/objects.ts'
import { throughEgress } from '../calls/egress.ts'
import { consumeManagedCache, readManagedCacheMessage } from './managed-caches.ts'
import { runLease } from '../calls/probe.ts'
import type { ProbeCallContext } from '../calls/probe.ts'
import type { Tracer } from '../calls/span.ts'
import type { Lease, Outcome } from '../calls/lease.ts'
import type { StoredCredential } from '../calls/credential.ts'

/** Open connections that the platform allows an invocation. A seventh call would wait in a queue while its time-out runs. */
const MAX_CONNECTIONS = 6
/** Longest time that an outcome waits to be settled together with others. A failure is settled at once, because a retry may follow. */
const SETTLE_WITHIN_MS = 2_000

type RegistryStub = ReturnType<Environment['REGISTRY']['getByName']>

/**
 * Consumes claims of probes and messages about managed caches. `begin` gives the leases of a claim only now, so that they follow
 * the state of this moment. At most six calls run at once.
 */
export async function consumeProbes(batch: MessageBatch<unknown>, env: Environment, tracer?: Tracer): Promise<void> {
  const clock = clockFrom(env)
  const limit = pLimit(MAX_CONNECTIONS)
  await freshOverrides(clock, async () => (await directoryAt(env).overrides()) as Overrides)
  await Promise.all(
    batch.messages.map(async (message) => {
      const claim = readMessage(message.body)
      const managedCache = readManagedCacheMessage(message.body)
      if (claim === null && managedCache === null) {
        console.error('probe queue: a message in an unknown format was dropped')
        message.ack()
        return
      }
      try {
        const account = claim?.account ?? managedCache?.account
        if (account !== undefined && (await tellKillSwitch(env, clock, account)) === null)
          throw new Error('the Directory did not answer')
        if (managedCache !== null) await limit(() => consumeManagedCache(managedCache, env, clock, tracer))
        if (claim === null) {
          message.ack()
          return
        }
        const registry = registryAt(env, claim.account)
        const { leases, allowedSecrets, credentials } = await registry.begin(claim.seq)
        await runAll(leases, { registry, clock, env, allowedSecrets, credentials, limit, tracer, seq: claim.seq })
        message.ack()
      } catch (thrown) {
        console.error('probe queue: a message failed', thrown instanceof Error ? thrown.name : 'unknown')
        message.retry({ delaySeconds: 1 })
      }
    }),
  )
}

interface Run {
  registry: RegistryStub
  clock: Clock
  env: Environment
  allowedSecrets: string[]
  credentials: StoredCredential[]
  limit: ReturnType<typeof pLimit>
  tracer: Tracer | undefined
  seq: number
}

async function runAll(leases: Lease[], run: Run): Promise<void> {
  const done: Outcome[] = []
  const running = new Set<Promise<void>>()
  let wake: () => void = () => {}
  let failed: () => void = () => {}
  const start = (lease: Lease): void => {
    const one = inTurn(lease, run.limit, run.clock, () =>
      runLease(lease, {
        clock: run.clock,
        vars: run.env,
        allowedSecrets: run.allowedSecrets,
        credentials: run.credentials,
        egress: throughEgress(run.env),
        held: () => heldByKillSwitch(run.env, run.clock),
        tracer: run.tracer,
        bodyOf: (leased) => bodyOf(run.registry, leased, run.env),
      }),
    ).then(({ outcome }) => {
      done.push(outcome)
      running.delete(one)
      wake()
      if (outcome.kind === 'failed') failed()
    })
    running.add(one)
  }
  for (const lease of leases) start(lease)
  while (running.size > 0 || done.length > 0) {
    if (done.length === 0) {
      await new Promise<void>((resolve) => {
        wake = resolve
      })
    }
    // The first outcome waits for others, so that one RPC settles several.
    if (running.size > 0 && !done.some(({ kind }) => kind === 'failed')) {
      const failure = new Promise<void>((resolve) => {
        failed = resolve
      })
      await Promise.race([Promise.allSettled(running), run.clock.sleep(SETTLE_WITHIN_MS), failure])
    }
    for (const lease of await run.registry.settle(run.seq, done.splice(0))) start(lease)
  }
}

/**
 * Makes a call when one of the connections is free. A lease whose time passes before its turn is given back at once: behind calls
 * that take minutes, its prefix would lapse before anybody knew. Its next message finds another consumer.
 */
export async function inTurn(
  lease: Pick<Lease, 'id' | 'k' | 'sendBy'>,
  limit: ReturnType<typeof pLimit>,
  clock: Pick<Clock, 'now' | 'sleep'>,
  call: () => Promise<{ outcome: Outcome }>,
): Promise<{ outcome: Outcome }> {
  const why = 'its time had passed before its turn came'
  const late = { outcome: { lease: lease.id, k: lease.k, kind: 'not_sent' as const, why } }
  if (limit.activeCount + limit.pendingCount < limit.concurrency) return limit(call)
  let isLate = false
  let hasBegun = false
  const turn = limit(() => {
    hasBegun = true
    return isLate ? Promise.resolve(late) : call()
  })
  const passed = clock.sleep(Math.max(0, lease.sendBy - clock.now())).then(() => {
    if (hasBegun) return turn
    isLate = true
    return late
  })
  return Promise.race([turn, passed])
}

async function bodyOf(
  registry: RegistryStub,
  { id, seq, k }: Lease,
  vars: Vars,
): Promise<Awaited<ReturnType<ProbeCallContext['bodyOf']>>> {
  const stored = await registry.bodyFor({ id, seq, k })
  return stored === null || 'held' in stored ? stored : storedBody(stored, vars)
}

/** Consumes messages whose every delivery failed. It releases their claims: the probes are due at once, and the alarm sends them. */
export async function consumeDeadProbes(batch: MessageBatch<unknown>, env: Environment): Promise<void> {
  for (const message of batch.messages) {
    const claim = readMessage(message.body)
    try {
      if (claim !== null) await registryAt(env, claim.account).release(claim.seq)
      message.ack()
    } catch (thrown) {
      console.error('dead probe queue: a message failed', thrown instanceof Error ? thrown.name : 'unknown')
      message.retry({ delaySeconds: 5 })
    }
  }
}

function readMessage(body: unknown): ProbeMessage | null {
  if (typeof body !== 'object' || body === null) return null
  const { account, seq } = body as Partial<ProbeMessage>
  return typeof account === 'string' && typeof seq === 'number' ? { account, seq } : null
}
