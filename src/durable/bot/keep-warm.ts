import { readFailure } from '../../contract/failure.ts'
import type { ChatMessage, ChatWindow } from '../../core/conversation/window.ts'
import { messagesUpTo } from '../../core/conversation/asked-breakpoints.ts'
import { boundOf } from '../../providers/tokens/bound.ts'
import { buildableProbes } from '../../providers/prefix/buildable-probes.ts'
import { besideOf, fingerprintOf } from '../../providers/prefix/identity.ts'
import { endsAtResults, takesTools, turnRequest } from '../../providers/conversation.ts'
import { dialectOf } from '../../providers/registry.ts'
import { cardById } from '../../runtime/cards.ts'
import type { Card } from '../../providers/card.ts'
import { pack } from '../../runtime/bytes.ts'
import { accessTo, placeOf } from '../../runtime/env.ts'
import { factsOf } from '../../runtime/facts.ts'
import { registryAt } from '../../runtime/objects.ts'
import type { BotShell } from './model-call.ts'
import { placing } from './placement.ts'
import { toolsOf } from '../registry/records/bot.ts'
import type { BotCache, BotConfig } from '../registry/records/bot.ts'
import { entryName } from '../../registration/identity.ts'
import { lookupsOf, storedOutline } from '../../registration/lookup.ts'
import type { Registration } from '../../registration/registration.ts'
import type { Usage } from '../../core/model/usage.ts'
import type { FollowedTurn } from '../registry/records/bot-call.ts'
import { planKind } from '../../core/planning/plan-kinds.ts'

/** Call of a turn, as the planner needs it. */
export interface TurnCall {
  begunAt: number
  usage: Usage
  /** Tools were forbidden in this call: no later call reads the entry that it wrote. */
  final: boolean
}

/**
 * Registers the conversation with its account's planner after a turn. `window` is the conversation that the last call sent. The
 * planner decides whether to keep it warm. Never throws: the turn was answered.
 */
export async function handOver(
  shell: BotShell,
  config: BotConfig,
  cache: BotCache | null,
  window: ChatWindow,
  calls: readonly TurnCall[],
): Promise<void> {
  try {
    const turn = followedTurn(shell, config, cache, window, calls)
    if (turn !== null) await registryAt(shell.env, config.account).followBot(turn)
  } catch (thrown) {
    console.warn('the keep-alives of a bot could not be started', readFailure(thrown)?.kind ?? 'unknown')
  }
}

function followedTurn(
  shell: BotShell,
  config: BotConfig,
  cache: BotCache | null,
  window: ChatWindow,
  calls: readonly TurnCall[],
): FollowedTurn | null {
  const [first] = calls
  const last = calls.at(-1)
  // A handle is kept by renewals, and each turn counts as its use.
  if (config.contents !== undefined) return null
  const { keepWarm } = config
  const isOff = keepWarm !== undefined && keepWarm !== null && !planKind(keepWarm.plan).sends
  if (cache === null || isOff || first === undefined || last === undefined || last.final) return null
  const card = cardById(config.provider)
  if (card === undefined || accessTo(card, shell.env, config.region).refusal !== null) return null
  const messages = window.messages()
  // Where a prefix must not end with a tool's result it ends at the question, as the first call wrote it.
  const question = messages.findLastIndex(({ role }) => role === 'user')
  const isCut = !endsAtResults(card) && messages.at(-1)?.role === 'tool' && question >= 0
  const entry = entryOf(isCut ? first : last)
  const said = isCut ? messages.slice(0, question + 1) : messages
  const registration = entry === null ? null : registrationOf(shell, config, cache, card, said, window.summaryCount)
  if (entry === null || registration === null) return null
  const arrival = { startedAt: first.begunAt, usage: first.usage, ttftMs: null }
  // No call reports the length of a head alone.
  const isHead = window.state().recent.length === 0
  const left = isHead ? { ...entry, tokens: registration.estimatedTokens, proved: false } : entry
  return { bot: shell.id, arrival, registration, entry: left }
}

/** Cache entry that a call left; null: none. Where the provider does not report writes, a write is assumed. */
function entryOf({ begunAt: at, usage }: TurnCall): FollowedTurn['entry'] | null {
  const { cacheReadTokens: read, cacheWriteTokens: written, inputTokens, outputTokens } = usage
  const counted = (read ?? 0) + (written ?? 0)
  const said = inputTokens === null || outputTokens === null ? {} : { promptTokens: inputTokens + outputTokens }
  if (counted > 0) return { at, tokens: written === null ? (inputTokens ?? counted) : counted, proved: true, ...said }
  return written === null && inputTokens !== null ? { at, tokens: inputTokens, proved: false, ...said } : null
}

function registrationOf(
  { env, clock, id }: BotShell,
  config: BotConfig,
  cache: BotCache,
  card: Card,
  messages: readonly ChatMessage[],
  summaries: number,
): Registration | null {
  const { breakpoints, end } = placing(config, cache)(messages, summaries)
  const prefixMessages = messagesUpTo(messages, end)
  if (prefixMessages === null) return null
  const body = turnRequest(card, {
    messages: prefixMessages,
    breakpoints,
    volatileText: null,
    model: config.model,
    maxOutputTokens: config.maxOutputTokens,
    cache,
    tools: toolsOf(config, takesTools(card)),
    noTools: false,
  }).body
  const now = clock.now()
  const dialect = dialectOf(card)
  const request = {
    text: body,
    model: config.model,
    whole: true,
    // The body ends where the strategy says.
    cache: { mode: 'best_effort', strategy: 'automatic', retention: cache.retention, key: cache.key } as const,
  }
  const prefix = dialect.prepare(request, (model) => factsOf(card.id, model, now))
  const facts = factsOf(card.id, config.model, now)
  const place = placeOf(card, env, config.region)
  const bound = boundOf(card, config.model, prefix.text)
  // A prefix below the minimum length is never cached.
  if (facts.minimumTokens !== null && bound.most !== null && bound.most < facts.minimumTokens) return null
  const beside = besideOf({ compared: null }, place)
  const { name: credential, generation } = config.credential
  const [entry, content] = lookupsOf(storedOutline(card, prefix, facts), {
    entryFor: (head, { model, cacheKey }) =>
      entryName(head, { provider: card.id, model, credential, generation, cacheKey, beside }),
  })
  return {
    fingerprint: fingerprintOf(card, prefix, config.credential, beside),
    // Each turn replaces them: the sentences of a conversation are not looked up.
    lookups: [entry, content].filter((hash) => hash !== undefined),
    provider: card.id,
    model: prefix.model,
    name: id,
    credential: config.credential.name,
    credentialGeneration: config.credential.generation,
    cacheKey: prefix.cacheKey,
    place,
    ...(config.region === undefined ? {} : { region: config.region }),
    retention: prefix.retention,
    breakpoint: prefix.breakpoint,
    estimatedTokens: prefix.estimatedTokens,
    bound,
    bodyBytes: Buffer.byteLength(prefix.text),
    advice: prefix.advice,
    maxOutputTokens: null,
    ...buildableProbes(dialect, prefix, facts, null),
    keepWarm: config.keepWarm ?? null,
    body: pack(prefix.text),
  }
}
