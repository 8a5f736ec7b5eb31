import { timingSafeEqual } from 'node:crypto'
import { createMiddleware } from 'hono/factory'
import type { LintSetting } from '../../contract/account.ts'
import { Failure } from '../../contract/failure.ts'
import { DEVELOPMENT_ACCOUNT, isDevelopment, missingSecrets, secretNames } from '../../runtime/env.ts'
import { isSealed, readAccountKey, sha256 } from '../../runtime/ids.ts'
import { clockOf, directoryOf, registryOf } from './context.ts'
import type { Call, Shared } from './context.ts'

/**
 * Real time for which an isolate trusts a verified key without asking again. A revoked key stops working everywhere within it,
 * and at once in the isolate that revoked it.
 */
export const KEY_CACHE_MS = 30_000
const KEYS_IN_MEMORY = 10_000

/** A verified key, trusted until an instant of this clock. */
interface Verified {
  account: string
  keyId: string
  untilAt: number
  lint: LintSetting
}

/** The account that a key acts for. */
type Identified = Pick<Verified, 'account' | 'lint'>

/** Verified keys by their hash. */
const verified = new Map<string, Verified>()

/** Forgets the verified keys of an account, or one of them. */
export function forgetKeys(account: string, keyId?: string): void {
  for (const [hash, entry] of verified) {
    if (entry.account === account && (keyId === undefined || entry.keyId === keyId)) verified.delete(hash)
  }
}

/** Refuses every call while the deployment lacks a secret. The failure names it. */
export const configured = createMiddleware<Shared>(async (c, next) => {
  const missing = missingSecrets(c.env)
  if (missing.length > 0) {
    throw new Failure('not_configured', `This deployment lacks secrets: ${missing.join(', ')}.`, { missing })
  }
  await next()
})

/** Accepts an account's key alone. */
export const account = createMiddleware<Shared>(async (c, next) => {
  const who = await identify(c)
  if (who === 'admin') {
    throw new Failure(
      'forbidden',
      "This route needs an account's key. The administrator's key serves other routes, such as /accounts and /kill-switch.",
    )
  }
  c.set('account', who.account)
  c.set('lint', who.lint)
  await next()
})

/** Accepts the administrator's key alone. */
export const admin = createMiddleware<Shared>(async (c, next) => {
  if ((await identify(c)) !== 'admin') throw new Failure('forbidden', "This route needs the administrator's key.")
  await next()
})

/** The seed of this deployment, from its Directory. An isolate asks once. */
let seed: Promise<string> | null = null

/** The secret that seals this deployment's account keys. */
export function keySeed(c: Pick<Call, 'env'>): Promise<string> {
  const asked = seed ?? Promise.resolve(directoryOf(c).keySeed())
  seed = asked
  asked.catch(() => {
    if (seed === asked) seed = null // this caller gets the error, and the next one asks again
  })
  return asked
}

async function identify(c: Call): Promise<'admin' | Identified> {
  const header = c.req.header('authorization')
  if (header === undefined) throw unauthenticated('An Authorization header is missing: "Bearer <key>".')
  const presented = /^bearer +(\S{1,300}) *$/i.exec(header)?.[1]
  if (presented === undefined) throw unauthenticated('The Authorization header is not "Bearer <key>".')
  return identifyKey(c, presented)
}

/** Says whose key it is. Throws `unauthenticated` for a key that is unknown, expired or revoked. */
export async function identifyKey(c: Pick<Call, 'env'>, presented: string): Promise<'admin' | Identified> {
  const hash = sha256(presented)
  if (sameSecret(hash, c.env.ADMIN_KEY)) return 'admin'
  if (isDevelopment(c.env) && sameSecret(hash, c.env.DEV_ACCOUNT_KEY)) return developmentAccount(c, hash)
  const named = readAccountKey(presented)
  if (named === null) throw unauthenticated('The key is unknown.')
  const clock = clockOf(c)
  const known = verified.get(hash)
  if (known !== undefined && known.untilAt > clock.now()) return known
  verified.delete(hash)
  // The seal comes first: a Registry exists from its first call on, and an invented account must not.
  if (!isSealed(presented, await keySeed(c))) throw unauthenticated('The key is unknown.')
  const { verdict, expiresAt, lint = null } = await registryOf(c, named.account).verifyKey(named.id, hash)
  if (verdict === 'expired') throw unauthenticated('The key has expired.')
  if (verdict === 'revoked') throw unauthenticated('The key was revoked.')
  if (verdict !== 'ok') throw unauthenticated('The key is unknown.')
  // A key is never trusted beyond its own end.
  const untilAt = Math.min(clock.now() + KEY_CACHE_MS * clock.rate, expiresAt ?? Number.POSITIVE_INFINITY)
  return remember(hash, { account: named.account, keyId: named.id, untilAt, lint })
}

/** Creates the development account on its first use. It may use every secret of its deployment. */
async function developmentAccount(c: Pick<Call, 'env'>, hash: string): Promise<Identified> {
  const name = DEVELOPMENT_ACCOUNT
  const clock = clockOf(c)
  const known = verified.get(hash)
  if (known !== undefined && known.untilAt > clock.now()) return known
  const registry = registryOf(c, name)
  const directory = directoryOf(c)
  await directory.add(name)
  const given = async () => ({ allowedSecrets: secretNames(), globalKillSwitch: await directory.killSwitch() })
  const { lint = null } = (await registry.settings()) ?? (await registry.configure(await given()))
  const { on, version } = await directory.killSwitchState()
  await registry.adoptKillSwitch({ on, version })
  return remember(hash, { account: name, keyId: '', untilAt: clock.now() + KEY_CACHE_MS * clock.rate, lint })
}

function remember(hash: string, entry: Verified): Verified {
  const oldest = verified.size >= KEYS_IN_MEMORY ? verified.keys().next().value : undefined
  if (oldest !== undefined) verified.delete(oldest)
  verified.set(hash, entry)
  return entry
}

/** Compares digests: the time it takes does not show where two secrets differ. */
function sameSecret(hash: string, secret: string | undefined): boolean {
  if (secret === undefined || secret.trim() === '') return false
  return timingSafeEqual(Buffer.from(hash), Buffer.from(sha256(secret.trim())))
}

function unauthenticated(message: string): Failure {
  return new Failure('unauthenticated', message)
}
