import { requestsADay } from './hit-rate.ts'
import { driftWhy } from '../drift.ts'
import type { Price } from '../../model/facts.ts'
import type { HistoryRow } from '../../prefix/history.ts'
import type { Alarm, AlarmKind, HitRate } from '../../prefix/parts.ts'
import type { PrefixState } from '../../prefix/state.ts'
import { iso } from '../../time/time.ts'

/** Odds from which a provider is taken to keep entries of a model for a shorter time than it states. */
const SHORTENED_ODDS = 0.95

/** A fallen hit rate has one of these causes, where it is known. */
const CAUSES: readonly AlarmKind[] = ['drifted', 'retention_shortened', 'provider_flipped']

/** A state with its alarms, the rows that tell of them, and those that are new: each is told once. */
export interface Alarmed {
  state: PrefixState
  rows: HistoryRow[]
  raised: Alarm[]
}

/** Raises and ends the alarms of a prefix by what a change made of its state. */
export function alarmsAfter(before: PrefixState | null, given: PrefixState): Alarmed {
  const open = given.alarms ?? []
  const fresh = freshIn(before, given)
  if (open.length === 0 && fresh.length === 0) return { state: given, rows: [], raised: [] }
  const known = (kind: AlarmKind) => open.some((one) => one.kind === kind)
  const causes = fresh.filter(({ kind }) => CAUSES.includes(kind) && !known(kind))
  const isExplained = causes.length > 0 || CAUSES.some((kind) => known(kind) && holds(kind, given))
  const others = fresh.filter(({ kind }) => !CAUSES.includes(kind) && !known(kind) && !isExplained)
  const raised = [...causes, ...others]
  const kept = open.filter(({ kind }) => holds(kind, given) && (causes.length === 0 || CAUSES.includes(kind)))
  const ended = open.filter((one) => !kept.includes(one))
  const at = raised[0]?.at ?? Math.max(given.lastArrivalAt ?? 0, given.lastReceipt?.at ?? 0)
  const { alarms: _before, ...rest } = given
  const alarms = [...kept, ...raised]
  const rows: HistoryRow[] = [
    ...raised.map((alarm): HistoryRow => decision(alarm.at, 'alarm', `${alarm.kind}: ${alarm.why}`)),
    ...ended.map(({ kind }): HistoryRow => {
      const why = holds(kind, given) ? `a cause is known: ${causes[0]?.kind ?? ''}` : ENDED[kind]
      return decision(at, 'alarm_ended', `${kind}: ${why}`)
    }),
  ]
  return { state: alarms.length === 0 ? rest : { ...rest, alarms }, rows, raised }
}

const ENDED: Record<AlarmKind, string> = {
  drifted: 'real requests begin with it again',
  retention_shortened: 'entries live as long as stated again, or another retention is planned',
  evictions: 'entries stay until their time again, or the rate has stayed so long that it is the usual one',
  provider_flipped: 'the former upstream answers again, or the other one has become the usual one',
  hit_rate_fell: 'the former rate is back, or the rate has stayed so long that it is the usual one',
}

function decision(at: number, name: string, why: string): HistoryRow {
  return { at, type: 'decision', decision: name, why }
}

/** Whether what raised an alarm is still so. */
function holds(kind: AlarmKind, { drift, retention, hitRate, keptRate, upstream }: PrefixState): boolean {
  switch (kind) {
    case 'drifted':
      return drift?.shown !== undefined
    case 'retention_shortened':
      return retention?.grantedName !== undefined || retention?.statedTtlMs !== undefined
    case 'evictions':
      return hitRate?.fell !== undefined || keptRate?.fell !== undefined
    case 'hit_rate_fell':
      return hitRate?.fell !== undefined
    case 'provider_flipped':
      return upstream?.flip !== undefined
  }
}

/** What the change shows for the first time. */
function freshIn(before: PrefixState | null, given: PrefixState): Alarm[] {
  const found: (Alarm | null)[] = [
    before?.drift?.shown === undefined ? driftOf(given) : null,
    shorteningOf(before, given),
    before?.upstream?.flip === undefined ? flipOf(given) : null,
    fallOf(before?.hitRate, given.hitRate, false),
    fallOf(before?.keptRate, given.keptRate, true),
  ]
  const alarms = found.filter((one) => one !== null)
  return alarms.filter(({ kind }, index) => alarms.findIndex((one) => one.kind === kind) === index)
}

function driftOf({ drift, measuredTokens }: PrefixState): Alarm | null {
  if (drift?.shown === undefined) return null
  const { sinceAt, requests, shown } = drift
  const why = driftWhy(drift, measuredTokens)
  return { kind: 'drifted', at: shown.at, sinceAt, from: null, to: null, requests, why }
}

/** A shorter lifetime than the one that was asked for: told by the usage of a call of ours, or shown by entries that were gone. */
function shorteningOf(before: PrefixState | null, given: PrefixState): Alarm | null {
  const { retention, lastReceipt, shortOdds } = given
  if (retention === null || before?.retention == null) return null
  const { name, grantedName, ttlMs, statedTtlMs } = retention
  const at = lastReceipt?.at ?? given.lastArrivalAt ?? 0
  const told = lastReceipt?.usage.cacheWriteByRetention[grantedName ?? ''] ?? 0
  if (grantedName !== undefined && before.retention.grantedName !== grantedName) {
    // Real requests may ask for less themselves.
    if (told === 0 || lastReceipt?.at === before.lastReceipt?.at || ttlMs >= before.retention.ttlMs) return null
    const why = `a request asked for ${name}, and the provider wrote it at ${grantedName}`
    return { kind: 'retention_shortened', at, sinceAt: at, from: name, to: grantedName, requests: 1, why }
  }
  const wasSure = before.retention.statedTtlMs !== undefined && (before.shortOdds ?? 0) >= SHORTENED_ODDS
  if (statedTtlMs === undefined || wasSure || (shortOdds ?? 0) < SHORTENED_ODDS) return null
  const requests = Math.max(2, retention.earlyMisses ?? 0)
  const to = seconds(ttlMs)
  const why = `entries that were asked for at ${grantedName ?? name} were gone before ${seconds(statedTtlMs)}; they live for ${to} or less`
  const since = retention.missedAt ?? at
  return {
    kind: 'retention_shortened',
    at: Math.max(at, since),
    sinceAt: since,
    from: grantedName ?? name,
    to,
    requests,
    why,
  }
}

function flipOf({ upstream }: PrefixState): Alarm | null {
  if (upstream?.flip === undefined) return null
  const { flip, name } = upstream
  const why = `the router answers with ${flip.to} instead of ${name}, whose cache has the prefix`
  return {
    kind: 'provider_flipped',
    at: flip.at,
    sinceAt: flip.sinceAt,
    from: name,
    to: flip.to,
    requests: flip.requests,
    why,
  }
}

function fallOf(before: HitRate | undefined, after: HitRate | undefined, ours: boolean): Alarm | null {
  const fell = after?.fell
  if (fell === undefined || before?.fell !== undefined) return null
  const { at, from, to, sinceAt, requests, gone } = fell
  const kind = ours || gone * 2 >= requests * (1 - to) ? 'evictions' : 'hit_rate_fell'
  const who = ours ? 'keep-alives' : 'real requests that should have'
  const then = kind === 'evictions' ? '; the others show that it was gone before its time' : ''
  const why = `${who} found it at a rate of ${rate(from)}, and since then at ${rate(to)}${then}`
  const lost = ours ? {} : { lostADay: Math.round(requestsADay(requests, at - sinceAt) * (from - to)) }
  return { kind, at, sinceAt, from: rate(from), to: rate(to), requests, why, ...lost }
}

const rate = (share: number): number => Number(share.toFixed(3))
const seconds = (ms: number): string => (ms % 60_000 === 0 ? `${ms / 60_000}m` : `${Math.round(ms / 1_000)}s`)

/** What the misses of an alarm cost in a day, in nano-dollars, beside reads. Null: a price or a count is unknown. */
export function lostNanosADay({ lostADay }: Alarm, price: Price | null, tokens: number | null): number | null {
  if (lostADay === undefined || price === null || tokens === null) return null
  const { inputNanosPerMTok, cacheReadNanosPerMTok } = price
  return Math.round((lostADay * tokens * Math.max(0, inputNanosPerMTok - cacheReadNanosPerMTok)) / 1_000_000)
}

/** What a ticket to the provider may say: facts of the model alone, no prompt, no key, no name. Null: the provider has no part in it. */
export function ticketOf(
  { kind, sinceAt, at, from, to, requests, why }: Alarm,
  { provider, model, tokens }: { provider: string; model: string; tokens: number | null },
): string | null {
  if (kind === 'drifted') return null
  const size = tokens === null ? 'a prefix' : `a prefix of ${tokens} tokens`
  return [
    `Prompt cache of ${model} (${provider}): ${TITLES[kind]}.`,
    `From ${iso(sinceAt)} to ${iso(at)}, ${requests} requests; before: ${from ?? 'unknown'}, since then: ${to ?? 'unknown'}.`,
    `Our requests begin with ${size}. What we see: ${why}.`,
    'What changed in how entries are kept or requests are routed at that time?',
  ].join('\n')
}

const TITLES: Record<Exclude<AlarmKind, 'drifted'>, string> = {
  retention_shortened: 'entries live shorter than asked for',
  evictions: 'entries are gone before their time',
  provider_flipped: 'requests are routed to another upstream',
  hit_rate_fell: 'requests stopped to read it as often as before',
}
