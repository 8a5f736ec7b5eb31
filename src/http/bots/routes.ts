import pLimit from 'p-limit'
import * as z from 'zod'
import { botCancel, botEvent, botMessage, newBot, nextTurnCache } from '../../contract/bot.ts'
import { Failure, invalid, readFailure } from '../../contract/failure.ts'
import { parseWith } from '../../contract/issues.ts'
import { estimateTokens } from '../../core/prompt/tokens.ts'
import { botName, newBotState, toolCount } from '../../durable/registry/records/bot.ts'
import { newId, sha256 } from '../../runtime/ids.ts'
import { botAt } from '../../runtime/objects.ts'
import { toolSecret } from '../../calls/tool.ts'
import { account, fullAccess } from '../server/auth.ts'
import { bodyText, readBody } from '../server/read-body.ts'
import type { CacheInput } from '../../contract/cache.ts'
import type { Advice } from '../../core/model/advice.ts'
import type { BotConfig } from '../../durable/registry/records/bot.ts'
import { takesTools } from '../../providers/conversation.ts'
import { cardFor } from '../../registration/native.ts'
import { botCacheFrom } from './cache.ts'
import type { AskedCache } from './cache.ts'
import { configFrom, limitsFrom } from './config.ts'
import { cacheWithoutHandle } from './handle.ts'
import { clockOf, registryOf, router } from '../server/context.ts'
import type { Call } from '../server/context.ts'
import { idempotent } from '../server/idempotency.ts'
import { money } from '../present/format.ts'
import { botJson, cacheJson } from '../present/bot.ts'
import { cursor, limit, readQuery } from '../server/query.ts'
import { decodeCursor, encodeCursor } from '../server/cursor.ts'

export const eraseQuery = z.strictObject({
  erase: z
    .enum(['true', 'false'], { error: 'must be true or false' })
    .optional()
    .meta({ description: 'true: also deletes all of its data; otherwise the bot only ends.' }),
})

export const botsQuery = z.strictObject({ cursor, limit: limit(20, 50) })

/** Objects that a list asks at once. */
const BOTS_AT_ONCE = 6

/** Members that may stand beside a snapshot. */
const WITH_SNAPSHOT = new Set(['snapshot', 'idle_timeout', 'cost_budget_usd'])

export const bots = router()
  .post('/bots', account, idempotent, async (c) => {
    const given = await readBody(c, newBot)
    const id = newId('bot')
    const bot = stubOf(c, id)
    const limits = limitsFrom(given)
    if (given.snapshot !== undefined) {
      const besides = Object.keys(given).find((field) => !WITH_SNAPSHOT.has(field))
      if (besides !== undefined) {
        throw invalid(besides, 'must be absent, because the snapshot contains it')
      }
      await registryOf(c).addBot(id)
      try {
        await bot.restore(given.snapshot, limits)
      } catch (thrown) {
        await registryOf(c).removeBot(id) // a refused snapshot stores nothing
        throw thrown
      }
    } else {
      const { config, advice } = await configFrom(c, given, id)
      await registryOf(c).addBot(id)
      await bot.start(limits, newBotState(config, given.system_prompt ?? ''))
      return c.json({ ...(await shown(c, id)), ...adviceJson(advice) }, 201)
    }
    return c.json(await shown(c, id), 201)
  })
  .get('/bots', account, async (c) => {
    const query = readQuery(c, botsQuery)
    const after = decodeCursor(query.cursor, z.strictObject({ after: z.string().max(64) }))?.after ?? ''
    const left = (await registryOf(c).bots()).toSorted().filter((id) => id > after)
    const ids = left.slice(0, query.limit)
    const atOnce = pLimit(BOTS_AT_ONCE)
    const found = await Promise.all(ids.map((id) => atOnce(() => shownIfThere(c, id))))
    return c.json({
      data: found.filter((one) => one !== null),
      next_cursor: left.length > ids.length ? encodeCursor({ after: ids.at(-1) }) : null,
    })
  })
  .get('/bots/tool-secret', account, fullAccess, (c) => {
    c.header('cache-control', 'no-store')
    return c.json({ secret: toolSecret(c.var.account, c.env) })
  })
  .get('/bots/:id', account, async (c) => c.json(await shown(c, idOf(c))))
  .post('/bots/:id/messages', account, idempotent, async (c) => {
    const data = await readBody(c, botMessage)
    const { id: turn, advice } = await emit(c, { type: 'message', data }, 'text')
    return c.json({ turn_id: turn, ...adviceJson(advice) }, 202)
  })
  .post('/bots/:id/events', account, idempotent, async (c) => {
    const { type, data, id } = await readBody(c, botEvent)
    const event = { type, data: type === 'message' ? parseWith(botMessage, data, 'data') : data }
    const taken = await emit(c, id === undefined ? event : { ...event, id }, 'data.text')
    return c.json({ event_id: taken.id, duplicate: taken.duplicate, ...adviceJson(taken.advice) }, 202)
  })
  .post('/bots/:id/next-turn-cache', account, idempotent, async (c) => {
    const given = await readBody(c, nextTurnCache)
    const id = idOf(c)
    const bot = stubOf(c, id)
    const { config } = (await bot.view()).state
    if (config === null) throw new Failure('not_found', 'There is no bot with this id.')
    if (given.cache === null) {
      await bot.setNextCache('own')
      return c.json({ cache: cacheJson(config.cache) })
    }
    const { cache, advice } = await turnCache(c, given.cache, config, id)
    await bot.setNextCache(cache)
    return c.json({ cache: cacheJson(cache), ...adviceJson(advice) })
  })
  .post('/bots/:id/cancel', account, idempotent, async (c) => {
    const id = idOf(c)
    const { turn_id: wanted } = await readBody(c, botCancel, { empty: true })
    const { turn, cancelled, billed, nanos, charged } = await stubOf(c, id).cancel(wanted)
    return c.json({ turn_id: turn, cancelled, billed, cost_usd: money(nanos), charged })
  })
  .post('/bots/:id/pause', account, idempotent, async (c) => {
    const id = idOf(c)
    await stubOf(c, id).pause()
    return c.json(await shown(c, id))
  })
  .post('/bots/:id/resume', account, idempotent, async (c) => {
    const id = idOf(c)
    await stubOf(c, id).resume()
    return c.json(await shown(c, id))
  })
  .get('/bots/:id/responses', account, async (c) => {
    const bot = stubOf(c, idOf(c))
    await bot.view() // an unknown bot is not found
    const isSocket = c.req.header('upgrade')?.toLowerCase() === 'websocket'
    if (!isSocket && c.req.header('accept')?.includes('text/event-stream') !== true) {
      throw invalid('accept', 'ask for a WebSocket ("Upgrade: websocket") or for "text/event-stream"')
    }
    const opened = await bot.fetch(c.req.raw)
    if (opened.status === 429) throw new Failure('rate_limited', 'This bot has too many listeners. Close some of them.')
    // Every answer gets a request id, and the headers of an object's answer cannot be changed.
    if (opened.webSocket !== null) return new Response(null, { status: 101, webSocket: opened.webSocket })
    return new Response(opened.body, { headers: opened.headers })
  })
  .get('/bots/:id/snapshot', account, async (c) => c.json(await stubOf(c, idOf(c)).copy()))
  .delete('/bots/:id', account, async (c) => {
    const { erase } = readQuery(c, eraseQuery)
    const id = idOf(c)
    const bot = stubOf(c, id)
    await bot.shutdown()
    if (erase !== 'true') return c.json(await shown(c, id))
    await bot.erase()
    await registryOf(c).removeBot(id)
    return c.json({ id, deleted: true })
  })

/** The id that a path names. No bot has an id of another form, so no object is called for one. */
function idOf(c: Call): string {
  const id = c.req.param('id') ?? ''
  if (!/^bot_[0-9a-f]{24}$/.test(id)) throw new Failure('not_found', 'There is no bot with this id.')
  return id
}

function stubOf(c: Call, id: string) {
  return botAt(c.env, c.var.account, botName(c.var.account, id))
}

/** Hashes of the request's idempotency key and body, by which the bot itself knows a repeat; empty without a key. */
async function onceOf(c: Call): Promise<{ once?: { key: string; body: string } }> {
  const key = c.req.header('idempotency-key')
  if (key === undefined) return {}
  return { once: { key: sha256(`${c.req.path}\n${key}`), body: sha256(await bodyText(c)) } }
}

/** Passes an event on. Refuses a message that is longer than the bot's history. `field`: where its text stands. */
async function emit(c: Call, given: { type: string; data: unknown; id?: string }, field: string) {
  const bot = stubOf(c, idOf(c))
  const event = { ...given, ...(await onceOf(c)) }
  if (event.type === 'message') {
    const { text, cache } = event.data as z.output<typeof botMessage>
    const { config } = (await bot.view()).state
    const most = config?.historyTokens ?? 0
    if (estimateTokens(text) > most) {
      const detail = { field, limit_tokens: most }
      throw new Failure('payload_too_large', `${field}: is longer than history_tokens of the bot, ${most}.`, detail)
    }
    if (cache !== undefined && config !== null) {
      const asked = await turnCache(c, cache, config, idOf(c))
      // Breakpoints name places of the conversation as it is: no other turn may change it before this one.
      const taken = await bot.emit({ ...event, data: { text, cache: asked.cache }, alone: true })
      return { ...taken, advice: asked.advice }
    }
  }
  return { ...(await bot.emit(event)), advice: [] }
}

/** What a caller asks of the cache for one turn. */
async function turnCache(c: Call, given: CacheInput, config: BotConfig, id: string): Promise<AskedCache> {
  const { provider, model } = config
  const tools = toolCount(config, takesTools(cardFor(provider, 'provider')))
  // The key is the bot's for all its life: another one is another cache.
  const wanted = await cacheWithoutHandle(c, given, config)
  return botCacheFrom(wanted, { provider, model, key: config.cache?.key ?? id, tools }, clockOf(c).now())
}

function adviceJson(advice: readonly Advice[]): { advice?: readonly Advice[] } {
  return advice.length === 0 ? {} : { advice }
}

/** One bot of a list; null: it was erased in the meantime. */
async function shownIfThere(c: Call, id: string) {
  try {
    return await shown(c, id)
  } catch (thrown) {
    if (readFailure(thrown)?.kind === 'not_found') return null
    throw thrown
  }
}

async function shown(c: Call, id: string) {
  return botJson(id, await stubOf(c, id).view())
}
