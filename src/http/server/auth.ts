import { timingSafeEqual } from 'node:crypto'
import { createMiddleware } from 'hono/factory'
import type { LintSetting } from '../../contract/account.ts'
import { Failure } from '../../contract/failure.ts'
import { forgetTrusted } from '../../gateway/trust.ts'
import { DEVELOPMENT_ACCOUNT, isDevelopment, missingSecrets, secretNames } from '../../runtime/env.ts'
import { isSealed, readAccountKey, sha256 } from '../../runtime/ids.ts'
import type { KeyAccess } from '../../runtime/ids.ts'
import { BadKeys, WINDOW_MS } from './access/bad-keys.ts'
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
  access: KeyAccess
}

/** The account that a key acts for, and what it may do there. */
type Identified = Pick<Verified, 'account' | 'lint' | 'access'>

/** Verified keys by their hash. */
const verified = new Map<string, Verified>()
/** Verdicts on bad keys by their hash, so that a program that repeats one does not ask the Registry each time. */
const refused = new Map<string, { why: string; untilAt: number }>()
const badKeys = new BadKeys()

/** Forgets the verified keys of an account, or one of them. */
export function forgetKeys(account: string, keyId?: string): void {
  forgetTrusted(account)
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

/** Accepts an account's key alone. One that may only read is accepted for GET. */
export const account = accountKey(['GET', 'HEAD'])

/** The same for a route that changes nothing with any method. */
export const accountReads = accountKey(['GET', 'HEAD', 'POST'])

/** After `account`, for a route that tells a secret: refuses a key that may only read. */
export const fullAccess = createMiddleware<Shared>(async (c, next) => {
  if (c.var.access === 'read') throw readOnly()
  await next()
})

function accountKey(read: readonly string[]) {
  return createMiddleware<Shared>(async (c, next) => {
    const who = await identify(c)
    if (who === 'admin') {
      throw new Failure(
        'forbidden',
        "This route needs an account's key. The administrator's key serves other routes, such as /accounts and /kill-switch.",
      )
    }
    if (who.access === 'via') throw viaOnly()
    if (who.access === 'read' && !read.includes(c.req.method)) throw readOnly()
    c.set('account', who.account)
    c.set('access', who.access)
    c.set('lint', who.lint)
    await next()
  })
}

function viaOnly(): Failure {
  return new Failure('forbidden', 'This key opens the gateway (/via) and nothing else.', { access: 'via' })
}

function readOnly(): Failure {
  const text = 'This key may only read. What changes something, spends, or tells a secret needs a key with full access.'
  return new Failure('forbidden', text, { access: 'read' })
}

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
  return identifyKey(c, presented, c.req.header('cf-connecting-ip') ?? null)
}

/** Says whose key it is, of a caller at an address. Throws `unauthenticated` for a bad key, and `rate_limited` for one too many. */
export async function identifyKey(
  c: Pick<Call, 'env'>,
  presented: string,
  address: string | null,
): Promise<'admin' | Identified> {
  const who = await judged(c, presented)
  if (typeof who === 'object' && 'why' in who) throw badKey(c, presented, address, who.why)
  return who
}

/** Whom a key stands for, or why it is bad. The limit of bad keys has no say in it. */
async function judged(c: Pick<Call, 'env'>, presented: string): Promise<'admin' | Identified | { why: string }> {
  const hash = sha256(presented)
  if (sameSecret(hash, c.env.ADMIN_KEY)) return 'admin'
  if (isDevelopment(c.env) && sameSecret(hash, c.env.DEV_ACCOUNT_KEY)) return developmentAccount(c, hash)
  const named = readAccountKey(presented)
  if (named === null) return UNKNOWN
  const clock = clockOf(c)
  for (const remembered of [verified.get(hash), refused.get(hash)]) {
    if (remembered !== undefined && remembered.untilAt > clock.now()) return remembered
  }
  verified.delete(hash)
  refused.delete(hash)
  // The seal comes first: a Registry exists from its first call on, and an invented account must not.
  if (!isSealed(presented, await keySeed(c))) return UNKNOWN
  const { verdict, expiresAt, lint = null } = await registryOf(c, named.account).verifyKey(named.id, hash)
  const rememberedAt = clock.now() + KEY_CACHE_MS * clock.rate
  if (verdict !== 'ok') return remember(refused, hash, { why: WHY[verdict], untilAt: rememberedAt })
  // A key is never trusted beyond its own end.
  const untilAt = Math.min(rememberedAt, expiresAt ?? Number.POSITIVE_INFINITY)
  return remember(verified, hash, { account: named.account, access: named.access, keyId: named.id, untilAt, lint })
}

const WHY = {
  expired: 'The key has expired.',
  revoked: 'The key was revoked.',
  unknown: 'The key is unknown.',
} as const
const UNKNOWN = { why: WHY.unknown }

/** Refuses a bad key. Beyond the limit the answer does not tell what is wrong with it. */
function badKey(c: Pick<Call, 'env'>, presented: string, address: string | null, why: string): Failure {
  const clock = clockOf(c)
  const from = { address, account: readAccountKey(presented)?.account ?? null }
  const limited = badKeys.count(from, clock.now(), WINDOW_MS * clock.rate)
  if (limited === null) return unauthenticated(why)
  const whence = limited.by === 'address' ? 'came from this address' : 'were sent in the name of this account'
  const text = `Too many bad keys ${whence}, and this one is bad too. A good key is accepted at any time.`
  const seconds = Math.max(1, Math.ceil(limited.waitMs / clock.rate / 1_000))
  return new Failure('rate_limited', text, { limited_by: limited.by, retry_after_seconds: seconds })
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
  const untilAt = clock.now() + KEY_CACHE_MS * clock.rate
  return remember(verified, hash, { account: name, access: 'full', keyId: '', untilAt, lint })
}

function remember<Entry>(entries: Map<string, Entry>, hash: string, entry: Entry): Entry {
  const oldest = entries.size >= KEYS_IN_MEMORY ? entries.keys().next().value : undefined
  if (oldest !== undefined) entries.delete(oldest)
  entries.set(hash, entry)
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
