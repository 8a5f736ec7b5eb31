import type { RetentionOffer } from '../model/facts.ts'
import { believable } from '../model/usage.ts'
import type { Usage } from '../model/usage.ts'
import type { CallTtl, TtlSeen } from '../model/ttl-seen.ts'
import type { Finding } from '../prefix/parts.ts'
import type { PrefixState } from '../prefix/state.ts'
import { MINUTE_MS, SECOND_MS } from '../time/time.ts'

/** Whose calls they are. */
export type Caller = 'requests' | 'probes'

/** A call, as far as it shows the lifetime of an entry. `asked`, `sent`: names of retentions. */
export interface TtlCall {
  by: Caller
  at: number
  usage: Usage
  /** What its caller, or a marker of its body, asked for; absent: neither. */
  asked?: string
  /** What the body carried; null: nothing; absent: the body is not known. */
  sent?: string | null
  /** Tokens of the prefix. Null: unknown. */
  measuredTokens: number | null
  findings: readonly Finding[]
}

/** Lifetimes that were asked for, sent, honoured and observed, in ms. Null: not known. */
export interface TtlReceipt {
  asked: Record<Caller, number | null>
  sent: Record<Caller, number | null>
  honoured: Record<Caller, number | null>
  /** The longest time without use after which a read found the entry, and the shortest after which it was gone. */
  observed: { aliveAfter: number | null; goneAfter: number | null }
  why: string
}

/** What is known of lifetimes after one more call. A call that was told late, or shows nothing, changes nothing. */
export function ttlAfter(
  before: TtlSeen | undefined,
  { by, at, usage, asked, sent, measuredTokens, findings }: TtlCall,
  offers: readonly RetentionOffer[],
): TtlSeen | undefined {
  const known = before?.[by]
  if (known !== undefined && at < known.at) return before
  const wrote = writtenMs(believable(usage), sent ?? null, measuredTokens, offers)
  if (sent === undefined && wrote === null && findings.length === 0) return before
  const observed = observedAfter(before, findings)
  if (sent === undefined && wrote === null) return { ...before, ...observed }
  const askedMs = sent === undefined ? known?.askedMs : lengthOf(asked, offers)
  const sentMs = sent === undefined ? known?.sentMs : lengthOf(sent, offers)
  // What was honoured once is no answer to what is sent now.
  const honouredMs = wrote ?? (sentMs === known?.sentMs ? known?.honouredMs : undefined)
  const call: CallTtl = {
    at,
    ...(askedMs === undefined ? {} : { askedMs }),
    ...(sentMs === undefined ? {} : { sentMs }),
    ...(honouredMs === undefined ? {} : { honouredMs }),
  }
  const isOther = differs(known?.sentMs, sentMs) || differs(known?.honouredMs, honouredMs)
  const { aliveMs: _alive, goneMs: _gone, ...rest } = { ...before }
  return { ...rest, ...(isOther ? {} : observed), [by]: call }
}

function differs(was: number | undefined, is: number | undefined): boolean {
  return was !== undefined && is !== undefined && was !== is
}

function observedAfter(before: TtlSeen | undefined, findings: readonly Finding[]): Pick<TtlSeen, 'aliveMs' | 'goneMs'> {
  const ages = (found: boolean) =>
    findings.filter((one) => one.found === found && one.ageMs > 0).map((one) => one.ageMs)
  const alive = Math.max(before?.aliveMs ?? 0, ...ages(true))
  const gone = Math.min(before?.goneMs ?? Number.POSITIVE_INFINITY, ...ages(false))
  return { ...(alive > 0 ? { aliveMs: alive } : {}), ...(Number.isFinite(gone) ? { goneMs: gone } : {}) }
}

/** The stated length of a retention; undefined: the provider states none, or does not offer it. */
function lengthOf(name: string | null | undefined, offers: readonly RetentionOffer[]): number | undefined {
  return offers.find((offer) => offer.name === name && !offer.assumed)?.ttlMs
}

/**
 * The lifetime at which the prefix was written, by the usage; null: it says none, or the call found most of the prefix and wrote what follows. What was
 * sent, where half of what was written of the prefix has that; else the longest that has so much, since lifetimes fall along a prompt.
 */
function writtenMs(
  { cacheReadTokens, cacheWriteByRetention: by }: Usage,
  sent: string | null,
  measuredTokens: number | null,
  offers: readonly RetentionOffer[],
): number | null {
  if ((cacheReadTokens ?? 0) > (measuredTokens ?? 0) / 2) return null
  const all = Object.values(by).reduce((sum, tokens) => sum + tokens, 0)
  const least = Math.max(1, Math.min(measuredTokens ?? all, all) / 2)
  const written = offers
    .filter(({ name, assumed }) => !assumed && (by[name] ?? 0) >= least)
    .toSorted((a, b) => b.ttlMs - a.ttlMs)
  return (written.find(({ name }) => name === sent) ?? written[0])?.ttlMs ?? null
}

/** What is known of the lifetimes of a prefix, on one receipt. `askedMs`: what its registration asks of our own calls; null: nothing. */
export function ttlReceipt({ ttl }: Pick<PrefixState, 'ttl'>, askedMs: number | null): TtlReceipt {
  const of = (member: 'askedMs' | 'sentMs' | 'honouredMs') => ({
    requests: ttl?.requests?.[member] ?? null,
    probes: ttl?.probes?.[member] ?? null,
  })
  const receipt = {
    asked: { ...of('askedMs'), probes: askedMs },
    sent: of('sentMs'),
    honoured: of('honouredMs'),
    observed: { aliveAfter: ttl?.aliveMs ?? null, goneAfter: ttl?.goneMs ?? null },
  }
  return { ...receipt, why: whyOf(receipt) }
}

function whyOf({ asked, sent, honoured, observed }: Omit<TtlReceipt, 'why'>): string {
  const callers = [
    ['requests', 'real requests'],
    ['probes', 'our own calls'],
  ] as const
  const calls = callers.flatMap(([by, whose]) => [
    ...(asked[by] === null || asked[by] === sent[by] || (by === 'probes' && sent[by] === null)
      ? []
      : [`${whose} were to ask for ${inWords(asked[by])} and carried ${inWords(sent[by])}`]),
    ...(honoured[by] === null
      ? []
      : [`the provider wrote ${inWords(honoured[by])} where ${whose} carried ${inWords(sent[by])}`]),
  ])
  const { aliveAfter, goneAfter } = observed
  const seen = [
    ...(aliveAfter === null ? [] : [`a read found it ${inWords(aliveAfter)} after its last use`]),
    ...(goneAfter === null ? [] : [`it was gone ${inWords(goneAfter)} after its last use`]),
  ]
  return [...calls, ...seen].join('; ') || 'no answer has shown a lifetime yet'
}

function inWords(ms: number | null): string {
  if (ms === null) return 'no lifetime'
  return ms % MINUTE_MS === 0 ? `${ms / MINUTE_MS} min` : `${Math.round(ms / SECOND_MS)} s`
}
