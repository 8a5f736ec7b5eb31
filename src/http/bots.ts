import * as z from 'zod'
import { BOT_NOT_YET, botMessage, newBot } from '../contract/bots.ts'
import type { NewBot } from '../contract/bots.ts'
import { cacheValue } from '../contract/cache.ts'
import { Failure } from '../contract/failures.ts'
import { estimateTokens } from '../core/tokens.ts'
import { botName, newBotState } from '../durable/bot-state.ts'
import type { BotConfig, BotLimits } from '../durable/bot-state.ts'
import type { ModelCall } from '../durable/bot-calls.ts'
import { wireOf } from '../providers/registry.ts'
import { chooseRetention } from '../providers/retention.ts'
import { factsOf } from '../runtime/facts.ts'
import { newId } from '../runtime/ids.ts'
import { account } from './auth.ts'
import { readBody } from './body.ts'
import { clockOf, registryOf, room } from './context.ts'
import type { Call } from './context.ts'
import { credentialsNamed, refuseElsewhere, useOf } from './credentials.ts'
import { idempotent } from './idempotency.ts'
import { cardFor } from './preparation.ts'
import { iso, money } from './present.ts'
import { readQuery } from './query.ts'
import { refuseWithoutCredential } from './warming.ts'

export const eraseQuery = z.strictObject({
  erase: z
    .enum(['true', 'false'], { error: 'must be true or false' })
    .optional()
    .meta({ description: 'true: deletes everything of it, not only ends it.' }),
})

/** Members that a snapshot brings along. */
const WITH_SNAPSHOT = new Set(['snapshot', 'idle_timeout', 'cost_budget_usd'])

export const bots = room()
  .post('/bots', account, idempotent, async (c) => {
    const given = await readBody(c, newBot)
    for (const field of BOT_NOT_YET) {
      if (given[field] !== undefined) throw new Failure('unsupported', `${field}: is not supported yet.`, { field })
    }
    const id = newId('bot')
    const bot = stubOf(c, id)
    const limits = limitsFrom(given)
    if (given.snapshot !== undefined) {
      const besides = Object.keys(given).find((field) => !WITH_SNAPSHOT.has(field))
      if (besides !== undefined) {
        const text = `${besides}: comes with the snapshot, and may not stand beside it.`
        throw new Failure('invalid_request', text, { field: besides })
      }
      await registryOf(c).addBot(id)
      try {
        await bot.restore(given.snapshot, limits)
      } catch (thrown) {
        await registryOf(c).removeBot(id) // a refused snapshot stores nothing
        throw thrown
      }
    } else {
      const config = await configFrom(c, given, id)
      await registryOf(c).addBot(id)
      await bot.start(limits, newBotState(config, given.system_prompt ?? ''))
    }
    return c.json(await shown(c, id), 201)
  })
  .get('/bots/:id', account, async (c) => c.json(await shown(c, idOf(c))))
  .post('/bots/:id/messages', account, idempotent, async (c) => {
    const { text } = await readBody(c, botMessage)
    const id = idOf(c)
    const bot = stubOf(c, id)
    const { config } = (await bot.view()).state
    const most = config?.historyTokens ?? 0
    if (estimateTokens(text) > most) {
      const detail = { field: 'text', limit_tokens: most }
      throw new Failure('payload_too_large', `text: is longer than the bot's history of ${most} tokens.`, detail)
    }
    const taken = await bot.emit({ type: 'message', data: { text } })
    return c.json({ turn_id: taken.id }, 202)
  })
  .get('/bots/:id/responses', account, async (c) => {
    const bot = stubOf(c, idOf(c))
    await bot.view() // an unknown bot is not found
    if (c.req.header('upgrade')?.toLowerCase() !== 'websocket') {
      const text = 'upgrade: responses come through a WebSocket; send "Upgrade: websocket".'
      throw new Failure('invalid_request', text, { field: 'upgrade' })
    }
    const opened = await bot.fetch(c.req.raw)
    if (opened.webSocket === null) throw new Failure('rate_limited', 'Too many sockets hear this bot; close some.')
    // Headers of an answer from elsewhere cannot be changed, and ours get a request id.
    return new Response(null, { status: 101, webSocket: opened.webSocket })
  })
  .get('/bots/:id/snapshot', account, async (c) => c.json(await stubOf(c, idOf(c)).snapshot()))
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

/** An id of another form is nobody's, and no object is asked. */
function idOf(c: Call): string {
  const id = c.req.param('id') ?? ''
  if (!/^bot_[0-9a-f]{24}$/.test(id)) throw new Failure('not_found', 'There is no such bot.')
  return id
}

function stubOf(c: Call, id: string) {
  return c.env.BOT.getByName(botName(c.var.account, id))
}

function limitsFrom({ idle_timeout, cost_budget_usd, max_history }: NewBot): BotLimits {
  return {
    ...(idle_timeout === undefined ? {} : { idleTimeoutMs: idle_timeout }),
    ...(cost_budget_usd === undefined ? {} : { costBudgetNanos: cost_budget_usd }),
    ...(max_history === undefined ? {} : { maxHistory: max_history }),
  }
}

/** Refuses, before anything is stored, what could not be done later. */
async function configFrom(c: Call, given: NewBot, id: string): Promise<BotConfig> {
  const { provider, model } = given
  if (provider === undefined) throw new Failure('invalid_request', 'provider: is missing.', { field: 'provider' })
  if (model === undefined) throw new Failure('invalid_request', 'model: is missing.', { field: 'model' })
  const card = cardFor(provider, 'provider')
  const facts = factsOf(card.id, model, clockOf(c).now())
  if (given.cost_budget_usd != null && facts.price === null) {
    const text = 'cost_budget_usd: the price of this model is not known, so that no budget could end it.'
    throw new Failure('unsupported', text, { field: 'cost_budget_usd' })
  }
  const historyTokens = given.history_tokens ?? 8_192
  if (estimateTokens(given.system_prompt ?? '') > historyTokens) {
    const text = `system_prompt: is longer than history_tokens, ${historyTokens}, which it is part of.`
    throw new Failure('invalid_request', text, { field: 'system_prompt' })
  }
  const known = await credentialsNamed(c, [given.credential])
  const credential = useOf(given.credential, known)
  const own = known.get(credential.name)
  if (own === undefined) await refuseWithoutCredential(c, card)
  else refuseElsewhere(c, card, own)
  return {
    account: c.var.account,
    provider: card.id,
    model,
    credential,
    historyTokens,
    maxOutputTokens: given.max_output_tokens ?? 4_096,
    injectTime: given.inject_time ?? true,
    cache: cacheFrom(given, facts, wireOf(card).retentions, id),
  }
}

function cacheFrom(
  given: NewBot,
  facts: ReturnType<typeof factsOf>,
  wire: readonly string[],
  id: string,
): BotConfig['cache'] {
  const wanted = cacheValue(given.cache ?? 'auto')
  if (wanted.mode === 'disabled') return null
  if (wanted.mode === 'required') {
    throw new Failure('unsupported', 'cache.mode: a bot cannot require it yet.', { field: 'cache.mode' })
  }
  if (wanted.strategy !== 'automatic') {
    const text = 'cache.strategy: a bot places its breakpoints itself; only "automatic" is supported.'
    throw new Failure('unsupported', text, { field: 'cache.strategy' })
  }
  return { retention: chooseRetention(wanted, null, facts, wire).name, key: wanted.key ?? id }
}

async function shown(c: Call, id: string) {
  const seen = await stubOf(c, id).view()
  const { config, totals, last } = seen.state
  return {
    id,
    status: seen.status,
    why: seen.why,
    provider: config?.provider ?? '',
    model: config?.model ?? '',
    started_at: iso(seen.startedAt),
    active_at: iso(seen.activeAt),
    ended_at: iso(seen.endedAt),
    waiting: seen.waiting,
    spent_usd: money(seen.spentNanos),
    cost_budget_usd: money(seen.limits.costBudgetNanos),
    token_count: seen.tokenCount,
    remaining: seen.remaining,
    usage: {
      turns: totals.turns,
      input_tokens: totals.inputTokens,
      cached_input_tokens: totals.cachedTokens,
      cache_write_input_tokens: totals.writtenTokens,
      output_tokens: totals.outputTokens,
      unpriced: totals.unpriced,
    },
    last_response: last === null ? null : { turn_id: last.turn, at: iso(last.at), text: last.text },
    calls: seen.calls.map(callJson),
    history: seen.history.map(({ at, ...row }) => ({ at: iso(at), ...row })),
  }
}

function callJson({ turn, begunAt, endedAt, outcome }: ModelCall) {
  const known = { turn_id: turn, begun_at: iso(begunAt), ended_at: iso(endedAt) }
  if (outcome === null) return { ...known, outcome: 'in_flight', billed: null, cost_usd: null, failure: null }
  if (outcome.kind === 'answered') {
    return { ...known, outcome: outcome.kind, billed: true, cost_usd: money(outcome.nanos), failure: null }
  }
  const { kind, message } = outcome.failure
  const billed = outcome.kind === 'refused' ? false : outcome.billed
  const cost = outcome.kind === 'refused' ? null : (outcome.nanos ?? null)
  return { ...known, outcome: outcome.kind, billed, cost_usd: money(cost), failure: { kind, message } }
}
