import pLimit from 'p-limit'
import * as z from 'zod'
import { accountChange, newAccount, newKey } from '../../contract/account.ts'
import { Failure, invalid } from '../../contract/failure.ts'
import { accountId } from '../../contract/scalars.ts'
import { secretNames } from '../../runtime/env.ts'
import { newAccountKey, sha256 } from '../../runtime/ids.ts'
import { admin, forgetKeys, keySeed } from '../server/auth.ts'
import { readBody } from '../server/read-body.ts'
import { eraseBotsOf } from '../bots/erase.ts'
import { deleteManagedCachesOf } from '../caches/erase.ts'
import { clockOf, directoryOf, registryOf, router } from '../server/context.ts'
import type { Call, DirectoryStub } from '../server/context.ts'
import { decodeCursor, encodeCursor } from '../server/cursor.ts'
import { webhookJson } from '../present/webhook.ts'
import { cursor, limit, readQuery } from '../server/query.ts'
import { dayOf } from '../../core/time/time.ts'
import { newSettings } from '../../durable/registry/records/account.ts'
import type { AccountSettings } from '../../durable/registry/records/account.ts'
import { iso, money } from '../present/format.ts'

/** Registries that a list asks at once. */
const ASKED_AT_ONCE = 20

type ListedAccount = Awaited<ReturnType<DirectoryStub['page']>>[number]

export const accountsQuery = z.strictObject({ cursor, limit: limit(50, 200) })

/** The account that a path names. Throws `not_found` without a call to its Registry, which would create it. */
export async function existing(c: Call): Promise<string> {
  const id = c.req.param('id') ?? ''
  if (!accountId.safeParse(id).success || !(await directoryOf(c).has(id))) {
    throw new Failure('not_found', 'There is no account with this id.')
  }
  return id
}

export const accounts = router()
  .post('/accounts', admin, async (c) => {
    refuseIdempotencyKey(c)
    const { id, ...given } = await readBody(c, newAccount)
    const change = settingsFrom(given)
    const directory = directoryOf(c)
    const registry = registryOf(c, id)
    const added = await directory.add(id)
    // An account that was added but not configured, because a call failed in between, is completed here.
    if (!added && (await registry.settings()) !== null) {
      throw new Failure('conflict', 'id: an account with this id exists already.', { field: 'id' })
    }
    const created = await changed(c, id, { ...change, globalKillSwitch: await directory.killSwitch() })
    // Thrown in between, the switch met an account that did not exist yet.
    const { on, version } = await directory.killSwitchState()
    await registry.adoptKillSwitch({ on, version })
    return c.json(settingsJson({ ...created, globalKillSwitch: on }), 201)
  })
  .get('/accounts', admin, async (c) => {
    const query = readQuery(c, accountsQuery)
    const from = decodeCursor(query.cursor, z.strictObject({ after: z.string() }))
    const directory = directoryOf(c)
    const [rows, { on }] = await Promise.all([
      directory.page(from?.after ?? '', query.limit + 1),
      directory.killSwitchState(),
    ])
    const page = rows.slice(0, query.limit)
    const data = (await settingsOf(c, page)).map((one) => settingsJson({ ...one, globalKillSwitch: on }))
    const last = page.at(-1)
    const next = last === undefined || rows.length === page.length ? null : encodeCursor({ after: last.id })
    return c.json({ data, next_cursor: next })
  })
  .get('/accounts/:id', admin, async (c) => {
    const id = await existing(c)
    const registry = registryOf(c, id)
    const [account, counts, days, webhook] = await Promise.all([
      accountJson(c, id),
      registry.counts(),
      registry.totals(),
      registry.webhook(),
    ])
    const today = days.find(({ day }) => day === dayOf(clockOf(c).now()))?.totals
    return c.json({
      ...account,
      prefixes: counts.prefixes,
      stored_bytes: counts.storedBytes,
      today: { calls: today?.calls ?? 0, cost_usd: money(today?.costNanos ?? 0) },
      webhook: webhook === null ? null : webhookJson(webhook),
    })
  })
  .patch('/accounts/:id', admin, async (c) => {
    const change = settingsFrom(await readBody(c, accountChange))
    const id = await existing(c)
    const settings = await changed(c, id, change)
    forgetKeys(id) // what this isolate remembers beside them is older
    return c.json(settingsJson(settings))
  })
  .delete('/accounts/:id', admin, async (c) => {
    const id = await existing(c)
    // First: should a later step fail, no prompt can be read any more.
    await directoryOf(c).forgetBodyKey(id)
    await deleteManagedCachesOf(c, id)
    await eraseBotsOf(c, id)
    await erase(c, id)
    await directoryOf(c).remove(id)
    forgetKeys(id)
    return c.json({ id, deleted: true })
  })
  .post('/accounts/:id/keys', admin, async (c) => {
    refuseIdempotencyKey(c)
    const given = await readBody(c, newKey, { empty: true })
    const account = await existing(c)
    const now = clockOf(c).now()
    const expiresAt = given.expires_at ?? (given.expires_in == null ? null : now + given.expires_in)
    if (expiresAt !== null && expiresAt <= now) {
      throw invalid('expires_at', 'must not be in the past')
    }
    const { id, key } = newAccountKey(account, await keySeed(c))
    await registryOf(c, account).createKey(id, sha256(key), expiresAt)
    return c.json({ id, key, created_at: iso(now), expires_at: iso(expiresAt), revoked_at: null }, 201)
  })
  .get('/accounts/:id/keys', admin, async (c) => {
    const keys = await registryOf(c, await existing(c)).keys()
    return c.json({
      data: keys.map(({ id, createdAt, expiresAt, revokedAt }) => ({
        id,
        created_at: iso(createdAt),
        expires_at: iso(expiresAt),
        revoked_at: iso(revokedAt),
      })),
      next_cursor: null,
    })
  })
  .delete('/accounts/:id/keys/:kid', admin, async (c) => {
    const account = await existing(c)
    const { kid } = c.req.param()
    if (!/^[0-9a-f]{12}$/.test(kid) || !(await registryOf(c, account).revokeKey(kid))) {
      throw new Failure('not_found', 'There is no key with this id.')
    }
    forgetKeys(account, kid)
    return c.json({ id: kid, revoked: true })
  })

function settingsFrom(given: z.output<typeof accountChange>): Partial<AccountSettings> {
  const known = secretNames()
  for (const [index, name] of (given.allowed_secrets ?? []).entries()) {
    if (known.includes(name)) continue
    const field = `allowed_secrets[${index}]`
    throw new Failure('invalid_request', `${field}: must be one of ${known.join(', ')}.`, { field, known })
  }
  return {
    ...(given.budget_usd_per_day === undefined ? {} : { budgetNanosPerDay: given.budget_usd_per_day }),
    ...(given.allowed_secrets === undefined ? {} : { allowedSecrets: [...new Set(given.allowed_secrets)] }),
    ...(given.lint === undefined ? {} : { lint: given.lint }),
    ...(given.kill_switch === undefined ? {} : { killSwitch: given.kill_switch }),
  }
}

/** Refuses an idempotency key: a stored answer would show a key a second time, and administrators' answers are not stored. */
function refuseIdempotencyKey(c: Call): void {
  if (c.req.header('idempotency-key') === undefined) return
  throw new Failure('unsupported', 'idempotency-key: is supported only on routes of an account.', {
    field: 'idempotency-key',
  })
}

/** Changes the settings of an account, and the copy of them that lists read. */
async function changed(c: Call, id: string, change: Partial<AccountSettings>): Promise<AccountSettings> {
  const directory = directoryOf(c)
  const revision = await directory.beginChange(id)
  const settings = await registryOf(c, id).configure(change)
  await directory.endChange(id, revision, JSON.stringify(settings))
  return settings
}

/** The settings of listed accounts: the Directory's copies. The Registries are asked only for those that it lacks, and it gets them. */
async function settingsOf(c: Call, page: readonly ListedAccount[]): Promise<AccountSettings[]> {
  const ask = pLimit(ASKED_AT_ONCE)
  const missing: { id: string; revision: number; settings: string }[] = []
  const all = await Promise.all(
    page.map(async ({ id, createdAt, revision, settings }) => {
      if (settings !== null) return JSON.parse(settings) as AccountSettings
      const read = await ask(() => registryOf(c, id).settings())
      if (read === null) return { ...newSettings(id), createdAt }
      missing.push({ id, revision, settings: JSON.stringify(read) })
      return read
    }),
  )
  if (missing.length > 0) await directoryOf(c).copySettings(missing)
  return all
}

async function accountJson(c: Call, id: string) {
  const [settings, { on }] = await Promise.all([registryOf(c, id).settings(), directoryOf(c).killSwitchState()])
  return settingsJson({ ...(settings ?? newSettings(id)), globalKillSwitch: on })
}

function settingsJson(settings: AccountSettings) {
  return {
    id: settings.account,
    created_at: iso(settings.createdAt),
    budget_usd_per_day: money(settings.budgetNanosPerDay),
    allowed_secrets: settings.allowedSecrets,
    lint: settings.lint ?? null,
    kill_switch: settings.killSwitch,
    global_kill_switch: settings.globalKillSwitch,
  }
}

/** Erases a Registry. It ends itself, which cuts this call off: it is erased if its settings are gone. */
async function erase(c: Call, id: string): Promise<void> {
  try {
    await registryOf(c, id).erase()
  } catch (thrown) {
    if ((await registryOf(c, id).settings()) !== null) throw thrown
  }
}
