import type { BotView } from '../../durable/bot/bot.ts'
import type { BotCache } from '../../durable/registry/records/bot.ts'
import { callOf } from '../../durable/registry/records/bot-call.ts'
import { iso, money } from './format.ts'

type ModelCall = BotView['calls'][number]
type ToolRun = BotView['tools'][number]

export function botJson(id: string, seen: BotView) {
  const { config, totals, last } = seen.state
  return {
    id,
    status: seen.status,
    why: seen.why,
    provider: config?.provider ?? '',
    model: config?.model ?? '',
    ...(config?.region === undefined ? {} : { region: config.region }),
    started_at: iso(seen.startedAt),
    active_at: iso(seen.activeAt),
    ended_at: iso(seen.endedAt),
    waiting: seen.waiting,
    cache: cacheJson(config?.cache ?? null),
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
    handle: config?.contents === undefined ? null : { cache_id: config.contents.cache },
    last_response: last === null ? null : { turn_id: last.turn, at: iso(last.at), text: last.text },
    calls: seen.calls.map(callJson),
    tool_calls: seen.tools.map(toolJson),
    history: seen.history.map(({ at, ...row }) => ({ at: iso(at), ...row })),
  }
}

/** Cache settings of a bot, or of one of its turns, in the form in which callers write them. */
export function cacheJson(cache: BotCache | null) {
  if (cache === null) return null
  const { retention, key, mode, strategy } = cache
  return {
    retention,
    key,
    ...(mode === undefined ? {} : { mode }),
    ...(strategy === undefined ? {} : { strategy: strategyJson(strategy) }),
  }
}

function strategyJson(strategy: NonNullable<BotCache['strategy']>) {
  if ('count' in strategy) return { breakpoints: strategy.count }
  if ('last' in strategy) return { last: strategy.last }
  if ('handle' in strategy) return { handle: strategy.handle }
  return {
    explicit: strategy.explicit.map((point) => {
      if ('toolsEnd' in point) return 'tools_end'
      return 'itemEnd' in point ? { item_end: point.itemEnd } : { part_end: point.partEnd }
    }),
  }
}

function callJson({ id, begunAt, endedAt, outcome }: ModelCall) {
  const { turn, purpose } = callOf(id)
  const known = { turn_id: turn, purpose, begun_at: iso(begunAt), ended_at: iso(endedAt) }
  if (outcome === null) return { ...known, outcome: 'in_flight', billed: null, cost_usd: null, failure: null }
  if (outcome.kind === 'answered') {
    return { ...known, outcome: outcome.kind, billed: true, cost_usd: money(outcome.nanos), failure: null }
  }
  const { kind, message } = outcome.failure
  const billed = outcome.kind === 'refused' ? false : outcome.billed
  const cost = outcome.kind === 'refused' ? null : (outcome.nanos ?? null)
  return { ...known, outcome: outcome.kind, billed, cost_usd: money(cost), failure: { kind, message } }
}

function toolJson({ id, turn, name, attempts, begunAt, endedAt, result }: ToolRun) {
  const outcome = result === null ? 'in_flight' : result.isError ? 'failed' : 'answered'
  return { id, turn_id: turn, tool: name, begun_at: iso(begunAt), ended_at: iso(endedAt), outcome, attempts }
}
