import type * as z from 'zod'
import { costWithoutHead, readNothing } from '../../core/fan-out/crew.ts'
import type { Crew, CrewWarm } from '../../durable/registry/records/crew.ts'
import { factsOf } from '../../runtime/facts.ts'
import { receiptJson } from './prefix.ts'
import type { Usage } from '../../core/model/usage.ts'
import type { Receipt } from '../../core/prefix/receipt.ts'
import { failureJson, iso, money, usageJson } from './format.ts'
import type { preloadAnswer } from '../../contract/preload.ts'

type PreloadAnswer = z.input<typeof preloadAnswer>

/** A crew: each agent's result, its cost, and what the agents would have cost without sharing. */
export function crewJson(crew: Crew): PreloadAnswer {
  const { id, strategy, createdAt, finishedAt, heads, agents, groups } = crew
  const calls = [...callsOf([...heads, ...agents]).values()]
  const known = calls.filter(({ costNanos }) => costNanos !== null)
  const cost = calls.length > 0 && known.length === 0 ? null : known.reduce((sum, one) => sum + (one.costNanos ?? 0), 0)
  const alone = finishedAt === null || known.length < calls.length ? null : aloneNanos(crew)
  const failed = agents.filter(({ step }) => step === 'failed').length
  return {
    id,
    kind: 'preload',
    status: statusOf(crew),
    strategy,
    why: statusOf(crew) === 'skipped' ? (agents[0]?.why ?? '') : '',
    created_at: iso(createdAt),
    finished_at: iso(finishedAt),
    agents: agents.map((agent, index) => agentJson(agent, index)),
    groups: groups.map(({ provider, model, credential, cacheKey, members, why, shared }, index) => ({
      provider,
      model,
      credential,
      cache_key: cacheKey,
      agents: members,
      head: shared === null ? null : headJson(heads[index] ?? null, shared, strategy),
      why,
    })),
    head_writes: groups.reduce((sum, _, index) => sum + headWrites(crew, index), 0),
    calls: calls.length,
    failed,
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

function headJson(head: CrewWarm | null, shared: NonNullable<Crew['groups'][number]['shared']>, strategy: string) {
  return {
    status: head?.step ?? ('skipped' as const),
    why: head === null ? `strategy ${strategy} sends no separate call for the shared head` : head.why,
    prefix_id: head?.prefixId ?? null,
    estimated_tokens: shared.estimatedTokens,
    ends_at: shared.path,
    receipt: head?.receipt == null ? null : receiptJson(head.receipt),
    failure: head?.failure == null ? null : failureJson(head.failure),
  }
}

function statusOf({ finishedAt, agents }: Crew): PreloadAnswer['status'] {
  if (finishedAt === null) return 'running'
  if (agents.some(({ step }) => step === 'succeeded')) return 'succeeded'
  return agents.some(({ step }) => step === 'failed') ? 'failed' : 'skipped'
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

const wroteHead = ({ kind, usage }: Receipt): boolean => kind !== 'uncacheable' && readNothing(usage)

/** Calls of a group that wrote the shared head: those whose answer read nothing from the cache. */
function headWrites(crew: Crew, group: number): number {
  return crew.groups[group]?.shared == null ? 0 : callsOfGroup(crew, group).filter(wroteHead).length
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
    const head = crew.heads[group]?.receipt ?? null
    const written = callsOfGroup(crew, group).some(wroteHead)
    const tokens = head === null ? (info.shared?.estimatedTokens ?? 0) : measured(head.usage)
    const { price } = factsOf(info.provider, info.model, receipt.at)
    const nanos = costWithoutHead(receipt.usage, price, info.retention, written ? tokens : 0)
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
