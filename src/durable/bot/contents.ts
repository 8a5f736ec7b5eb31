import { Failure, failureValue, readFailure } from '../../contract/failure.ts'
import type { FailureValue } from '../../contract/failure.ts'
import { countContents, whyUncounted } from '../../calls/count-tokens.ts'
import type { CountedContents } from '../../calls/count-tokens.ts'
import { runManagedCacheToEnd } from '../../calls/managed-cache.ts'
import type { ManagedCacheLease } from '../../calls/lease.ts'
import type { Tracer } from '../../calls/span.ts'
import { SECOND_MS } from '../../core/time/time.ts'
import type { Card } from '../../providers/card.ts'
import { withCredentials } from '../../providers/dialects/shared/credentials.ts'
import { unpack } from '../../runtime/bytes.ts'
import type { Clock } from '../../runtime/clock.ts'
import type { Environment } from '../../runtime/env.ts'
import { openedCredentials } from '../../runtime/seal.ts'
import { registryAt } from '../../runtime/objects.ts'
import type { ManagedCacheFlight, ManagedCacheView } from '../registry/records/managed-cache.ts'
import { mostTokens } from '../registry/records/managed-cache.ts'
import type { BotConfig } from '../registry/records/bot.ts'

/** A handle that the provider confirmed in this time is sent without asking again. */
const FRESH_MS = 60 * SECOND_MS
/** Longest wait for a handle, which may have to be created. */
const LONGEST_WAIT_MS = 60 * SECOND_MS

/** Parts of the bot's object that are used here. */
interface Shell {
  env: Environment
  clock: Clock
  /** Records each call as a span; absent: none does. */
  tracer?: Tracer
  /** Aborted when the call is given up: nobody waits for a handle any more. */
  signal?: AbortSignal
}

/** The body of a call of a bot whose contents are in a managed cache. `tokens`: those of the contents, for the worst case. */
export interface CallWithContents {
  body: string
  /** Null: nobody limits them. */
  tokens: number | null
  /** Why the contents are sent instead of a handle; null: they are not. */
  inlined: string | null
}

/**
 * Completes the body of a call: it refers to the handle of the bot's managed cache, which is renewed or created again first where that is
 * due. Without a handle, and where the turn asks for no cache, it has the contents themselves. Throws `not_found` where the managed cache
 * was deleted.
 */
export async function withContents(
  shell: Shell,
  config: BotConfig,
  card: Card,
  body: string,
  cached: boolean,
): Promise<CallWithContents> {
  const { contents } = config
  if (contents === undefined) return { body, tokens: 0, inlined: null }
  const references = card.managedCaches?.references
  if (references === undefined) throw new Failure('unsupported', 'The provider has no managed caches any more.')
  const registry = registryAt(shell.env, config.account)
  const got = cached ? await handleOf(shell, config, shell.clock.now() - FRESH_MS) : null
  const view = got?.view ?? (await registry.handle(contents.cache))
  const tokens = view.state.live?.tokens ?? mostTokens(view.record)
  const live = got?.failure === null ? view.state.live : null
  if (live !== null) return { body: references.refer(body, live.name), tokens, inlined: null }
  const kept = await registry.handleContents(view.k)
  if (kept === null) throw new Failure('not_found', 'The managed cache of this bot was deleted.')
  const inlined = got === null ? 'this turn asks for no cache' : (got.failure?.message ?? 'there is no handle')
  const { credentials } = kept
  // They are opened here, for this one call: the body is stored nowhere.
  const opened = credentials === null ? [] : openedCredentials(credentials, shell.env)
  return { body: references.inline(body, withCredentials(unpack(kept.bytes), opened)), tokens: 0, inlined }
}

/** Checks a handle that a call was refused for, so that the next attempt has one that exists. Never throws. */
export async function checkHandle(shell: Shell, config: BotConfig): Promise<void> {
  try {
    await handleOf(shell, config, shell.clock.now())
  } catch (thrown) {
    console.warn('the handle of a bot could not be checked', readFailure(thrown)?.kind ?? 'unknown')
  }
}

/** Obtains a handle, as the one who calls the provider or as one who waits. `failure`: why there is none. */
async function handleOf(
  { env, clock, tracer, signal }: Shell,
  { account, contents }: BotConfig,
  freshSinceAt: number,
): Promise<{ view: ManagedCacheView; failure: FailureValue | null }> {
  const registry = registryAt(env, account)
  const id = contents?.cache ?? ''
  const untilAt = clock.now() + LONGEST_WAIT_MS
  let counted: CountedContents | null = null
  for (;;) {
    const flight: ManagedCacheFlight = await registry.askForHandle(id, { want: 'any' }, freshSinceAt)
    if (flight.role === 'ready') return { view: flight.view, failure: null }
    if (flight.role === 'refused' && flight.kind === 'budget_exhausted' && counted === null) {
      counted = await countContents({ env, clock }, account, flight.view)
      if (counted.lowered) continue
    }
    if (flight.role === 'refused')
      return { view: flight.view, failure: failureValue(flight.kind, whyUncounted(flight.why, counted)) }
    if (flight.role === 'failed') {
      const { state } = flight.view
      const failure = state.lastFailure?.failure ?? failureValue('provider_unavailable', state.why)
      return { view: flight.view, failure }
    }
    const left = untilAt - clock.now()
    if (left <= 0 || signal?.aborted === true) {
      // Nobody else would make the call of this lease, and its cost would stay reserved, and be charged.
      if (flight.role === 'leader') await givenBack(registryAt(env, account), flight.lease, clock.now())
      const failure = failureValue('provider_timeout', 'the provider has not answered in time')
      return { view: await registry.handle(id), failure }
    }
    if (flight.role === 'follower') await untilAborted(registry.handleIdle(flight.k, left), signal)
    else {
      const { lease, allowedSecrets, credentials } = flight
      await runManagedCacheToEnd(lease, { env, clock, tracer, allowedSecrets, credentials }, account)
    }
  }
}

async function givenBack(
  registry: ReturnType<typeof registryAt>,
  { id: lease, target }: ManagedCacheLease,
  startedAt: number,
): Promise<void> {
  await registry.settleHandle({ lease, target, startedAt, kind: 'not_sent', why: 'who asked for it waits no more' })
}

/** Waits for `work`, at most until the signal is aborted. */
async function untilAborted(work: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
  if (signal === undefined) return work
  const { promise: aborted, resolve } = Promise.withResolvers<void>()
  signal.addEventListener('abort', () => resolve(), { once: true })
  if (signal.aborted) resolve()
  await Promise.race([work, aborted])
}
