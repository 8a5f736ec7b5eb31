import pLimit from 'p-limit'
import * as z from 'zod'
import { accountChange, newAccount, newKey } from '../../contract/account.ts'
import { Failure, invalid } from '../../contract/failure.ts'
import { deleteAccount } from '../../erasure/account.ts'
import { secretNames } from '../../runtime/env.ts'
import { newAccountKey, sha256 } from '../../runtime/ids.ts'
import { accountIdOf, accountName, jurisdictionOf } from '../../runtime/jurisdiction.ts'
import { existing, nameOf, refuseDeleting, someAccount } from './existing.ts'
import { admin, forgetKeys, keySeed } from '../server/auth.ts'
import { readBody } from '../server/read-body.ts'
import { clockOf, directoryOf, registryOf, router } from '../server/context.ts'
import type { Call, DirectoryStub } from '../server/context.ts'
import { decodeCursor, encodeCursor } from '../server/cursor.ts'
import { webhookJson } from '../present/webhook.ts'
import { cursor, limit, readQuery } from '../server/query.ts'
import { dayOf } from '../../core/time/time.ts'
import { newSettings } from '../../durable/registry/records/account.ts'
import type { AccountSettings, ListedKey } from '../../durable/registry/records/account.ts'
import { iso, money } from '../present/format.ts'

/** Registries that a list asks at once. */
const ASKED_AT_ONCE = 20

type ListedAccount = Awaited<ReturnType<DirectoryStub['page']>>[number]

export const accountsQuery = z.strictObject({ cursor, limit: limit(50, 200) })

const DELETING = 'The account is being deleted. DELETE /accounts/{id} goes on with that; so does the next sweep.'

export const accounts = router()
  .post('/accounts', admin, async (c) => {
    refuseIdempotencyKey(c)
    const { id: wanted, jurisdiction = null, ...given } = await readBody(c, newAccount)
    const change = settingsFrom(given)
    const directory = directoryOf(c)
    const id = accountName(wanted, jurisdiction)
    const registry = registryOf(c, id)
    const added = await directory.add(id)
    if (!added && (await nameOf(c, wanted)) !== id) {
      throw new Failure('conflict', 'id: an account with this id exists in another jurisdiction.', { field: 'id' })
    }
    if (!added) await refuseDeleting(c, id)
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
    const [rows, { on }, deletions] = await Promise.all([
      directory.page(from?.after ?? '', query.limit + 1),
      directory.killSwitchState(),
      directory.deleting(),
    ])
    const deleting = new Map(deletions.map(({ id, at }) => [id, at]))
    const page = rows.slice(0, query.limit)
    const data = (await settingsOf(c, page)).map((one) => {
      const shown = settingsJson({ ...one, globalKillSwitch: on })
      const since = deleting.get(one.account)
      return since === undefined ? shown : { ...shown, deleting_since: iso(since) }
    })
    const last = page.at(-1)
    const next = last === undefined || rows.length === page.length ? null : encodeCursor({ after: last.id })
    return c.json({ data, next_cursor: next })
  })
  .get('/accounts/:id', admin, async (c) => {
    const id = await someAccount(c)
    const registry = registryOf(c, id)
    const [account, counts, days, webhook, problem, deletingAt] = await Promise.all([
      accountJson(c, id),
      registry.counts(),
      registry.totals(),
      registry.webhook(),
      registry.promptsProblem(),
      directoryOf(c).deletingAt(id),
    ])
    const today = days.find(({ day }) => day === dayOf(clockOf(c).now()))?.totals
    return c.json({
      ...account,
      prefixes: counts.prefixes,
      stored_bytes: counts.storedBytes,
      prompts_held: deletingAt === null ? problem : DELETING,
      ...(deletingAt === null ? {} : { deleting_since: iso(deletingAt) }),
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
    const id = await someAccount(c)
    forgetKeys(id)
    await deleteAccount(c.env, id)
    return c.json({ id: accountIdOf(id), deleted: true })
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
    const { access = 'full' } = given
    const { id, key } = newAccountKey(account, await keySeed(c), access)
    await registryOf(c, account).createKey(id, sha256(key), expiresAt, access)
    return c.json({ id, key, access, created_at: iso(now), expires_at: iso(expiresAt), revoked_at: null }, 201)
  })
  .get('/accounts/:id/keys', admin, async (c) => {
    const keys = await registryOf(c, await existing(c)).keys()
    return c.json({ data: keys.map(keyJson), next_cursor: null })
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
    ...(given.learn === undefined ? {} : { learn: given.learn }),
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

/** A key as lists show it, without its text. */
export function keyJson({ id, access = 'full', createdAt, expiresAt, revokedAt }: ListedKey) {
  return {
    id,
    access,
    created_at: iso(createdAt),
    expires_at: iso(expiresAt),
    revoked_at: iso(revokedAt),
  }
}

export function settingsJson(settings: AccountSettings) {
  return {
    id: accountIdOf(settings.account),
    jurisdiction: jurisdictionOf(settings.account),
    created_at: iso(settings.createdAt),
    budget_usd_per_day: money(settings.budgetNanosPerDay),
    allowed_secrets: settings.allowedSecrets,
    lint: settings.lint ?? null,
    learn: settings.learn ?? 'observe',
    kill_switch: settings.killSwitch,
    global_kill_switch: settings.globalKillSwitch,
  }
}
