import type * as z from 'zod'
import { costWithoutHead, missedHead } from '../../core/fan-out/crew.ts'
import type { Crew, CrewWarm } from '../../durable/registry/records/crew.ts'
import { factsOf } from '../../runtime/facts.ts'
import { receiptJson } from './prefix.ts'
import type { Usage } from '../../core/model/usage.ts'
import type { Receipt } from '../../core/prefix/receipt.ts'
import { durationJson, failureJson, iso, money, usageJson } from './format.ts'
import type { preloadAnswer } from '../../contract/preload.ts'

type PreloadAnswer = z.input<typeof preloadAnswer>

/** A crew: each agent's result, its cost, and what the agents would have cost without sharing. */
export function crewJson(crew: Crew): PreloadAnswer {
  const { id, strategy, createdAt, finishedAt, heads, agents, groups } = crew
  const calls = [...callsOf([...heads, ...agents]).values()]
  const known = calls.filter(({ costNanos }) => costNanos !== null)
  const cost = calls.length > 0 && known.length === 0 ? null : known.reduce((sum, one) => sum + (one.costNanos ?? 0), 0)
  const alone = finishedAt === null || known.length < calls.length ? null : aloneNanos(crew)
  return {
    id,
    kind: 'preload',
    ...outcomeOf(crew),
    strategy,
    created_at: iso(createdAt),
    finished_at: iso(finishedAt),
    agents: agents.map((agent, index) => agentJson(agent, index)),
    groups: groups.map(({ provider, model, credential, cacheKey, members, why, pace }, index) => ({
      provider,
      model,
      credential,
      cache_key: cacheKey,
      agents: members,
      head: headJson(crew, index),
      pace: pace === undefined ? null : { calls: pace.most, every: durationJson(pace.everyMs) },
      why,
    })),
    head_writes: groups.reduce<number | null>((sum, _, index) => added(sum, headWrites(crew, index)), 0),
    calls: calls.length,
    succeeded: countIn(agents, 'succeeded'),
    failed: countIn(agents, 'failed'),
    skipped: countIn(agents, 'skipped'),
    usage: usageJson(totalUsage(calls)),
    cost_usd: money(cost),
    unpriced_calls: calls.length - known.length,
    without_coordination_usd: money(alone),
    saved_usd: money(alone === null || cost === null ? null : alone - cost),
  }
}

export function agentJson(agent: Crew['agents'][number], index: number): PreloadAnswer['agents'][number] {
  const { name, step, why, prefixId, group, receipt, failure } = agent
  return {
    index,
    name,
    status: step,
    why,
    prefix_id: prefixId,
    group,
    receipt: receipt === null ? null : receiptJson(receipt),
    failure: failure === null ? null : failureJson(failure),
  }
}

function headJson(crew: Crew, group: number): PreloadAnswer['groups'][number]['head'] {
  const { strategy, heads, agents, groups, led = [] } = crew
  const { shared, members = [] } = groups[group] ?? { shared: null }
  if (shared === null) return null
  const head = heads[group] ?? null
  const writer = (led[group] ?? 0) > 0 ? writerOf(agents, members) : null
  return {
    status: head?.step ?? (writer === null ? 'skipped' : agents[writer]!.step),
    why: head?.why ?? (writer === null ? `strategy ${strategy} sends no separate call for the shared head` : ''),
    prefix_id: head?.prefixId ?? null,
    written_by: writer,
    estimated_tokens: shared.estimatedTokens,
    ends_at: shared.path,
    receipt: head?.receipt == null ? null : receiptJson(head.receipt),
    failure: head?.failure == null ? null : failureJson(head.failure),
  }
}

/** The member whose call writes what they share: the first that has not failed, or the last to fail. */
function writerOf(agents: Crew['agents'], members: readonly number[]): number | null {
  return members.find((index) => agents[index]?.step !== 'failed') ?? members.at(-1) ?? null
}

const countIn = (agents: Crew['agents'], step: CrewWarm['step']): number =>
  agents.filter((agent) => agent.step === step).length

/** `failed`: more than half of the agents that had something to warm failed. */
function outcomeOf({ finishedAt, agents }: Crew): Pick<PreloadAnswer, 'status' | 'why'> {
  if (finishedAt === null) return { status: 'running', why: '' }
  const [failed, succeeded] = [countIn(agents, 'failed'), countIn(agents, 'succeeded')]
  if (failed + succeeded === 0) return { status: 'skipped', why: agents[0]?.why ?? '' }
  const why = failed === 0 ? '' : `${failed} of ${failed + succeeded} agents failed, see their failure`
  return { status: failed > succeeded ? 'failed' : 'succeeded', why }
}

/** Receipts of answered calls, by job. Agents of one content share a call, which counts once. */
function callsOf(warms: readonly (CrewWarm | null)[]): Map<string, Receipt> {
  const calls = new Map<string, Receipt>()
  for (const warm of warms) if (warm?.receipt != null) calls.set(warm.jobId ?? '', warm.receipt)
  return calls
}

function callsOfGroup({ heads, agents, groups }: Crew, group: number): Receipt[] {
  const members = groups[group]?.members.map((index) => agents[index] ?? null) ?? []
  return [...callsOf([heads[group] ?? null, ...members]).values()]
}

const added = (sum: number | null, more: number | null): number | null =>
  sum === null || more === null ? null : sum + more

/**
 * Calls of a group that wrote the shared head: those whose answer read less than half of it from the cache. Some servers leave the count out
 * where nothing was read; null: all answers leave it out.
 */
function headWrites(crew: Crew, group: number): number | null {
  if (crew.groups[group]?.shared == null) return 0
  const calls = callsOfGroup(crew, group).filter(({ kind }) => kind !== 'uncacheable')
  if (calls.length > 0 && calls.every(({ usage }) => usage.cacheReadTokens === null)) return null
  const tokens = headTokens(crew, group)
  return calls.filter(({ usage }) => missedHead(usage, tokens)).length
}

/** Size of a group's head: as a call for it alone counted it, else as estimated. */
function headTokens({ heads, groups }: Crew, group: number): number {
  const head = heads[group]?.receipt ?? null
  return head === null ? (groups[group]?.shared?.estimatedTokens ?? 0) : measured(head.usage)
}

/** What the agents would have cost if each had written its whole prefix; null: a price is not known. */
function aloneNanos(crew: Crew): number | null {
  let sum = 0
  const seen = new Set<string | null>()
  for (const agent of crew.agents) {
    const { receipt, jobId, group } = agent
    const info = group === null ? undefined : crew.groups[group]
    if (receipt === null || group === null || info === undefined || seen.has(jobId)) continue
    seen.add(jobId)
    const { price } = factsOf(info.provider, info.model, receipt.at)
    const tokens = headWrites(crew, group) === 0 ? 0 : headTokens(crew, group)
    const nanos = costWithoutHead(receipt.usage, price, info.retention, tokens)
    if (nanos === null) return null
    sum += nanos
  }
  return sum
}

function measured({ cacheReadTokens, cacheWriteTokens, inputTokens }: Usage): number {
  const kept = (cacheReadTokens ?? 0) + (cacheWriteTokens ?? 0)
  return kept > 0 ? kept : (inputTokens ?? 0)
}

function totalUsage(calls: readonly Receipt[]): Usage {
  const sum = (of: (usage: Usage) => number | null): number | null => {
    const known = calls.map(({ usage }) => of(usage)).filter((count) => count !== null)
    return known.length === 0 ? null : known.reduce((total, count) => total + count, 0)
  }
  const byRetention: Record<string, number> = {}
  for (const { usage } of calls)
    for (const [name, tokens] of Object.entries(usage.cacheWriteByRetention))
      byRetention[name] = (byRetention[name] ?? 0) + tokens
  return {
    inputTokens: sum((usage) => usage.inputTokens),
    uncachedTokens: sum((usage) => usage.uncachedTokens),
    cacheReadTokens: sum((usage) => usage.cacheReadTokens),
    cacheWriteTokens: sum((usage) => usage.cacheWriteTokens),
    cacheWriteByRetention: byRetention,
    outputTokens: sum((usage) => usage.outputTokens),
    reasoningTokens: sum((usage) => usage.reasoningTokens),
  }
}
