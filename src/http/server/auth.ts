import { timingSafeEqual } from 'node:crypto'
import { createMiddleware } from 'hono/factory'
import { Failure } from '../../contract/failure.ts'
import { DEVELOPMENT_ACCOUNT, isDevelopment, missingSecrets, secretNames } from '../../runtime/env.ts'
import { isSealed, readAccountKey, sha256 } from '../../runtime/ids.ts'
import { clockOf, directoryOf, registryOf } from './context.ts'
import type { Call, Shared } from './context.ts'

/**
 * How long a verified key is believed without asking again, in real time: the bound within which a revoked key stops
 * working everywhere. In the isolate that revoked it, it stops at once.
 */
export const KEY_CACHE_MS = 30_000
const KEYS_IN_MEMORY = 10_000

/** Keys verified lately: hash → account, and until when (milliseconds of this clock). */
const verified = new Map<string, { account: string; keyId: string; until: number }>()

/** Forgets what was verified of an account (or of one of its keys). */
export function forgetKeys(account: string, keyId?: string): void {
  for (const [hash, entry] of verified) {
    if (entry.account === account && (keyId === undefined || entry.keyId === keyId)) verified.delete(hash)
  }
}

/** Refuses everything while the deployment lacks a secret, and says which. */
export const configured = createMiddleware<Shared>(async (c, next) => {
  const missing = missingSecrets(c.env)
  if (missing.length > 0) {
    throw new Failure('not_configured', `This deployment lacks secrets: ${missing.join(', ')}.`, { missing })
  }
  await next()
})

/** Lets an account's key through, and nothing else. */
export const account = createMiddleware<Shared>(async (c, next) => {
  const who = await identify(c)
  if (who === 'admin') {
    throw new Failure(
      'forbidden',
      "This route takes an account's key; the administrator's key serves /accounts and /kill-switch.",
    )
  }
  c.set('account', who.account)
  await next()
})

/** Lets the administrator's key through, and nothing else. */
export const admin = createMiddleware<Shared>(async (c, next) => {
  if ((await identify(c)) !== 'admin') throw new Failure('forbidden', "This route takes the administrator's key.")
  await next()
})

/** Of a deployment, by its Directory: asked for once in the life of an isolate. */
let seed: Promise<string> | null = null

/** What the seals of this deployment's keys are made with. */
export function keySeed(c: Call): Promise<string> {
  const asked = seed ?? Promise.resolve(directoryOf(c).keySeed())
  seed = asked
  asked.catch(() => {
    if (seed === asked) seed = null // asked again by the next caller; this one hears of it
  })
  return asked
}

async function identify(c: Call): Promise<'admin' | { account: string }> {
  const header = c.req.header('authorization')
  if (header === undefined) throw unauthenticated('An Authorization header is missing: "Bearer <key>".')
  const presented = /^bearer +(\S{1,300}) *$/i.exec(header)?.[1]
  if (presented === undefined) throw unauthenticated('The Authorization header is not "Bearer <key>".')
  const hash = sha256(presented)
  if (sameSecret(hash, c.env.ADMIN_KEY)) return 'admin'
  if (isDevelopment(c.env) && sameSecret(hash, c.env.DEV_ACCOUNT_KEY)) return developmentAccount(c, hash)
  const named = readAccountKey(presented)
  if (named === null) throw unauthenticated('The key is not known.')
  const clock = clockOf(c)
  const known = verified.get(hash)
  if (known !== undefined && known.until > clock.now()) return { account: known.account }
  verified.delete(hash)
  // Without its seal nobody is asked: a Registry that is asked exists from then on, and an invented account must not.
  if (!isSealed(presented, await keySeed(c))) throw unauthenticated('The key is not known.')
  const { verdict, expiresAt } = await registryOf(c, named.account).verifyKey(named.id, hash)
  if (verdict === 'expired') throw unauthenticated('The key has expired.')
  if (verdict === 'revoked') throw unauthenticated('The key was revoked.')
  if (verdict !== 'ok') throw unauthenticated('The key is not known.')
  // Never beyond its own end, which needs no news to be known.
  const until = Math.min(clock.now() + KEY_CACHE_MS * clock.rate, expiresAt ?? Number.POSITIVE_INFINITY)
  remember(hash, { account: named.account, keyId: named.id, until })
  return { account: named.account }
}

/** The development account exists from its first use on, and may use every secret of its deployment. */
async function developmentAccount(c: Call, hash: string): Promise<{ account: string }> {
  const name = DEVELOPMENT_ACCOUNT
  const clock = clockOf(c)
  const known = verified.get(hash)
  if (known !== undefined && known.until > clock.now()) return { account: name }
  const registry = registryOf(c, name)
  const directory = directoryOf(c)
  await directory.add(name)
  if ((await registry.settings()) === null) {
    await registry.configure({ allowedSecrets: secretNames(), globalKillSwitch: await directory.killSwitch() })
  }
  remember(hash, { account: name, keyId: '', until: clock.now() + KEY_CACHE_MS * clock.rate })
  return { account: name }
}

function remember(hash: string, entry: { account: string; keyId: string; until: number }): void {
  const oldest = verified.size >= KEYS_IN_MEMORY ? verified.keys().next().value : undefined
  if (oldest !== undefined) verified.delete(oldest)
  verified.set(hash, entry)
}

/** Compares digests, which tell nothing of where two secrets differ. */
function sameSecret(hash: string, secret: string | undefined): boolean {
  if (secret === undefined || secret.trim() === '') return false
  return timingSafeEqual(Buffer.from(hash), Buffer.from(sha256(secret.trim())))
}

function unauthenticated(message: string): Failure {
  return new Failure('unauthenticated', message)
}
