import { EXIT_TOOL } from '../../contract/tool.ts'
import type { NewTool } from '../../contract/tool.ts'
import type { NewBot } from '../../contract/bot.ts'
import { Failure, invalid } from '../../contract/failure.ts'
import { keepWarmOver } from '../../contract/keep-warm.ts'
import type { Advice } from '../../core/model/advice.ts'
import { estimateTokens } from '../../core/prompt/tokens.ts'
import { MAX_ITERATIONS, toolCount } from '../../durable/registry/records/bot.ts'
import type { BotConfig, BotLimits, BotTool } from '../../durable/registry/records/bot.ts'
import { DEFAULT_KEEP_WARM } from '../../registration/registration.ts'
import { takesTools } from '../../providers/conversation.ts'
import { factsOf } from '../../runtime/facts.ts'
import { toolSecret, wrongToolUrl } from '../../calls/tool.ts'
import { refusedService, serviceUrl } from '../../calls/tool-service.ts'
import { handleOfBot } from './handle.ts'
import { clockOf } from '../server/context.ts'
import type { Call } from '../server/context.ts'
import { credentialsNamed, refuseUnsendable, regionFor } from '../server/credential.ts'
import { checkedBeginning } from '../../registration/beginning.ts'
import { lintPolicy } from '../../core/lint/policy.ts'
import type { Card } from '../../providers/card.ts'
import { useOf } from '../../registration/credential-use.ts'
import { cardFor } from '../../registration/native.ts'
import { botCacheFrom } from './cache.ts'
import { budgetAdvice } from './worst-case.ts'

export function limitsFrom({ idle_timeout, cost_budget_usd, max_history }: NewBot): BotLimits {
  return {
    ...(idle_timeout === undefined ? {} : { idleTimeoutMs: idle_timeout }),
    ...(cost_budget_usd === undefined ? {} : { costBudgetNanos: cost_budget_usd }),
    ...(max_history === undefined ? {} : { maxHistory: max_history }),
  }
}

/** The configuration of a new bot. Refuses, before anything is stored, what could not be done later. */
export async function configFrom(c: Call, body: NewBot, id: string): Promise<{ config: BotConfig; advice: Advice[] }> {
  const { provider, model } = body
  if (provider === undefined) throw invalid('provider', 'is missing')
  if (model === undefined) throw invalid('model', 'is missing')
  const card = cardFor(provider, 'provider')
  const { given, contents } = await handleOfBot(c, body, card)
  const facts = factsOf(card.id, model, clockOf(c).now())
  if (given.cost_budget_usd != null && facts.price === null) {
    const text = 'cost_budget_usd: the price of this model is unknown, so a budget cannot be enforced.'
    throw new Failure('unsupported', text, { field: 'cost_budget_usd' })
  }
  if (facts.price === null && given.allow_unpriced !== true) {
    throw invalid('allow_unpriced', 'must be true, because no price is known for this model')
  }
  const historyTokens = given.history_tokens ?? 8_192
  if (estimateTokens(given.system_prompt ?? '') > historyTokens) {
    throw invalid('system_prompt', `is longer than history_tokens, ${historyTokens}, which includes it`)
  }
  const known = await credentialsNamed(c, [given.credential])
  const credential = useOf(given.credential, known)
  const place = regionFor(card, given.region, contents === undefined ? known.get(credential.name) : undefined)
  await refuseUnsendable(c, card, known.get(credential.name), place.region)
  const takes = takesTools(card)
  const injectTime = given.inject_time ?? true
  const tools = toolsFrom(c, given, takes)
  const exitTool = given.exit_tool ?? false
  const bot = { provider: card.id, model, key: id, tools: toolCount({ tools, injectTime, exitTool }, takes) }
  const { cache, advice } = botCacheFrom(given.cache, bot, clockOf(c).now())
  const config: BotConfig = {
    account: c.var.account,
    provider: card.id,
    model,
    credential,
    ...place,
    historyTokens,
    maxOutputTokens: given.max_output_tokens ?? 4_096,
    injectTime,
    cache,
    tools,
    exitTool,
    maxIterations: given.max_iterations ?? MAX_ITERATIONS,
    summarize: given.summarize ?? false,
    ...(contents === undefined ? {} : { contents }),
    allowUnpriced: given.allow_unpriced ?? false,
    keepWarm: keepWarmOver(given.keep_warm ?? {}, DEFAULT_KEEP_WARM),
  }
  const budget = await budgetAdvice(c, card, config, given.system_prompt ?? '')
  return { config, advice: [...advice, ...budget, ...findingsIn(c, card, given, tools)] }
}

/** What lint finds in what every call begins with. Throws where the account, or the caller, has it refused. */
function findingsIn(c: Call, card: Card, { system_prompt: system, lint }: NewBot, tools: readonly BotTool[]) {
  const neutral = { ...(system === undefined ? {} : { system }), tools: [...tools] }
  return checkedBeginning(card, { neutral, systemAt: '/system_prompt' }, lintPolicy(lint, c.var.lint))
}

function toolsFrom(c: Call, { tools: given = [], exit_tool = false }: NewBot, taken: boolean): BotTool[] {
  if (exit_tool && !taken) {
    throw new Failure('unsupported', 'exit_tool: models of this provider cannot call tools.', { field: 'exit_tool' })
  }
  if (given.length === 0) return []
  if (!taken) {
    throw new Failure('unsupported', 'tools: models of this provider cannot call tools.', { field: 'tools' })
  }
  toolSecret(c.var.account, c.env) // calls are signed, or not made
  return given.map(({ name, description, parameters, timeout, ...place }, index) => {
    const to = placeOfTool(c, place, `tools[${index}]`)
    if (exit_tool && name === EXIT_TOOL) {
      throw invalid(`tools[${index}].name`, `must not be ${EXIT_TOOL}, the tool that exit_tool adds`)
    }
    const parametersText = JSON.stringify(parameters ?? { type: 'object', properties: {} })
    return { name, description, parametersText, ...to, timeoutMs: timeout ?? TOOL_TIMEOUT_MS }
  })
}

/** Where a tool is called. Throws for an address that is not public, and for a service that the administrator does not allow. */
function placeOfTool(
  c: Call,
  { url = '', service, path }: Pick<NewTool, 'url' | 'service' | 'path'>,
  field: string,
): Pick<BotTool, 'url' | 'service'> {
  if (service === undefined) {
    const wrong = wrongToolUrl(url, c.env)
    if (wrong !== null) throw invalid(`${field}.url`, wrong)
    return { url }
  }
  const refused = refusedService(service, c.env, `${field}.service`)
  if (refused !== null) throw new Failure(refused.kind, refused.message, refused.detail)
  return { url: serviceUrl(path), service }
}

const TOOL_TIMEOUT_MS = 10_000
