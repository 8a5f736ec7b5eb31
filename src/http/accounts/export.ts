import * as z from 'zod'
import { Failure, FAILURES, readFailure } from '../../contract/failure.ts'
import { EXPORT_PARTS } from '../../contract/account.ts'
import type { AccountSettings } from '../../durable/registry/records/account.ts'
import { botName } from '../../durable/registry/records/bot.ts'
import { unpack } from '../../runtime/bytes.ts'
import { botAt } from '../../runtime/objects.ts'
import { candidateJson } from '../candidates/routes.ts'
import { poolJson } from '../gateways/routes.ts'
import { sumJson } from '../ledger/routes.ts'
import { cacheJson } from '../present/managed-cache.ts'
import { historyJson, prefixJson } from '../present/prefix.ts'
import { webhookJson } from '../present/webhook.ts'
import { account, admin } from '../server/auth.ts'
import { clockOf, registryOf, router } from '../server/context.ts'
import type { Call } from '../server/context.ts'
import { decodeCursor, encodeCursor } from '../server/cursor.ts'
import { cursor, limit, readQuery } from '../server/query.ts'
import { credentialJson } from './credentials.ts'
import { existing } from './existing.ts'
import { keyJson, settingsJson } from './routes.ts'

/** A page ends with the record that reaches this, so that one request needs neither much CPU time nor much memory. */
const PAGE_CHARS = 8_000_000
/** Managed caches that one call to the Registry returns. Their contents follow one by one. */
const AT_ONCE = 20

export const exportQuery = z.strictObject({ cursor, limit: limit(200, 1_000) })

type Part = (typeof EXPORT_PARTS)[number]

/** The last record of a page. `after`: its key in its part; null: the part begins. */
const place = z.strictObject({ part: z.enum(EXPORT_PARTS), after: z.union([z.int(), z.string()]).nullable() })

/** One line of an export, with its key in its part. */
interface Line {
  after: number | string
  value: Record<string, unknown>
}

/** All that is stored of an account, prompts included and secrets not, as lines of JSON. */
export const accountExport = router()
  .get('/export', account, (c) => exported(c, c.var.account))
  .get('/accounts/:id/export', admin, async (c) => exported(c, await existing(c)))

async function exported(c: Call, name: string): Promise<Response> {
  const query = readQuery(c, exportQuery)
  const from = decodeCursor(query.cursor, place) ?? { part: 'account' as const, after: null }
  const settings = await registryOf(c, name).settings()
  // A verified key is cached for some seconds, so that it may outlive its account.
  if (settings === null) throw new Failure('unauthenticated', 'The account was deleted.')
  const lines = pageOf(c, settings, from, query.limit)
  const encoder = new TextEncoder()
  // A line is made when the reader asks for it: whoever reads slowly fills no memory here.
  const body = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const next = await lines.next()
        if (next.done === true) controller.close()
        else controller.enqueue(encoder.encode(`${next.value}\n`))
      },
      async cancel() {
        await lines.return(undefined)
      },
    },
    { highWaterMark: 0 },
  )
  return new Response(body, { headers: { 'content-type': 'application/x-ndjson', 'cache-control': 'no-store' } })
}

/** The lines of one page. The last says where the next page begins, also where something failed on the way. */
async function* pageOf(
  c: Call,
  settings: AccountSettings,
  from: z.output<typeof place>,
  most: number,
): AsyncGenerator<string> {
  let at = from
  let count = 0
  let chars = 0
  const end = (next: z.output<typeof place> | null, failure: string | null = null) =>
    JSON.stringify({ type: 'page', next_cursor: next === null ? null : encodeCursor(next), failure })
  try {
    for (const part of EXPORT_PARTS.slice(EXPORT_PARTS.indexOf(from.part))) {
      at = { part, after: part === from.part ? from.after : null }
      for await (const { after, value } of PARTS[part](c, settings, at.after)) {
        if (count >= most || chars >= PAGE_CHARS) return yield end(at)
        const line = JSON.stringify(value)
        yield line
        count += 1
        chars += line.length
        at = { part, after }
      }
    }
  } catch (thrown) {
    const failure = readFailure(thrown)?.message ?? 'An internal error occurred. Go on with this cursor.'
    if (readFailure(thrown) === null) console.error('export failed', thrown instanceof Error ? thrown.name : 'unknown')
    return yield end(at, failure)
  }
  yield end(null)
}

const PARTS: Record<Part, (c: Call, settings: AccountSettings, after: number | string | null) => AsyncGenerator<Line>> =
  { account: accountLines, prefixes: prefixLines, caches: cacheLines, bots: botLines }

/** Settings and small lists, numbered. */
async function* accountLines(c: Call, settings: AccountSettings, after: number | string | null): AsyncGenerator<Line> {
  const registry = registryOf(c, settings.account)
  const [keys, credentials, webhook, pools, days, candidates] = await Promise.all([
    registry.keys(),
    registry.credentials(),
    registry.webhook(),
    registry.pools(),
    registry.totals(),
    registry.candidates(),
  ])
  const values = [
    { type: 'account', account: settingsJson(settings) },
    ...keys.map((key) => ({ type: 'key', key: keyJson(key) })),
    ...credentials.map((credential) => ({ type: 'credential', credential: credentialJson(credential) })),
    ...(webhook === null ? [] : [{ type: 'webhook', webhook: webhookJson(webhook) }]),
    ...pools.map((pool) => ({ type: 'gateway', gateway: poolJson(pool, clockOf(c).now(), []) })),
    ...candidates.all.map((one) => ({ type: 'candidate', candidate: candidateJson(one, candidates.now) })),
    ...days.map(({ day, totals }) => ({ type: 'ledger_day', day, ...sumJson([totals]) })),
  ]
  const shown = typeof after === 'number' ? after : 0
  for (const [index, value] of values.slice(shown).entries()) yield { after: shown + index + 1, value }
}

async function* prefixLines(
  c: Call,
  { account: name }: AccountSettings,
  after: number | string | null,
): AsyncGenerator<Line> {
  const registry = registryOf(c, name)
  // One at a time: the cursor behind it is its key.
  for await (const { view, next } of viewsAfter(after, (from) => registry.list({}, from, 1))) {
    const { id } = view.record
    const [body, history] = await Promise.all([found(registry.body(id)), found(registry.history(id))])
    const prefix = {
      type: 'prefix',
      prefix: prefixJson(view),
      body: body.value === null ? null : unpack(body.value),
      history: (history.value ?? []).map(historyJson),
    }
    yield { after: next ?? 0, value: { ...prefix, problem: body.problem } }
  }
}

async function* cacheLines(
  c: Call,
  { account: name }: AccountSettings,
  after: number | string | null,
): AsyncGenerator<Line> {
  const registry = registryOf(c, name)
  for await (const { view } of viewsAfter(after, (from) => registry.handleList(null, from, AT_ONCE))) {
    const { value, problem } = await found(registry.handleBody(view.k))
    const contents = value === null ? null : unpack(value)
    yield { after: view.k, value: { type: 'cache', cache: cacheJson(view), contents, problem } }
  }
}

/** The views of every page behind `after`. `next`: where the page behind this one begins, null for the last. */
async function* viewsAfter<View>(
  after: number | string | null,
  list: (from: number | null) => Promise<{ views: readonly View[]; cursor: number | null }>,
): AsyncGenerator<{ view: View; next: number | null }> {
  let from = typeof after === 'number' ? after : null
  do {
    const page = await list(from)
    from = page.cursor
    for (const view of page.views) yield { view, next: from }
  } while (from !== null)
}

async function* botLines(
  c: Call,
  { account: name }: AccountSettings,
  after: number | string | null,
): AsyncGenerator<Line> {
  const ids = (await registryOf(c, name).bots()).toSorted()
  for (const id of ids) {
    if (typeof after === 'string' && id <= after) continue
    const { value: snapshot, problem } = await found(botAt(c.env, name, botName(name, id)).copy())
    yield { after: id, value: { type: 'bot', id, snapshot, problem } }
  }
}

/** What is stored, or why it cannot be read: what was deleted meanwhile, or cannot be opened, must not end the export. */
async function found<Value>(asked: Promise<Value>): Promise<{ value: Value | null; problem: string | null }> {
  try {
    return { value: await asked, problem: null }
  } catch (thrown) {
    const failure = readFailure(thrown)
    if (failure === null || FAILURES[failure.kind].retryable) throw thrown
    return { value: null, problem: failure.message }
  }
}
