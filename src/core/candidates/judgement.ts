import type { ModelFacts } from '../model/facts.ts'
import { atHour, readNanos, writeNanos } from '../model/price.ts'
import { DAY_MS, HOUR_MS } from '../time/time.ts'
import { distinct, GAP_ENDS_MS } from './candidate.ts'
import type { Candidate } from './candidate.ts'

/** Why a candidate is not worth registering. */
export const OBJECTIONS = [
  'few_calls',
  'below_minimum',
  'no_fan_out',
  'longer_one',
  'rarely_read',
  'not_renewable',
  'unpriced',
  'no_saving',
] as const
export type Objection = (typeof OBJECTIONS)[number]

/** Whether a candidate is worth registering, and what keeping it warm would have cost and saved a day. */
export interface Judgement {
  worth: boolean
  objections: readonly Objection[]
  /** Keep-alives in one gap with which the observed gaps would have cost least. */
  keepAlives: number
  /** Nano-dollars a day; null: the price is not known. */
  costNanosPerDay: number | null
  savingNanosPerDay: number | null
  why: string
}

/** A candidate as it is listed. */
export interface CandidateView extends Candidate {
  judgement: Judgement
  estimatedSessions: number
}

/** Calls that show a habit: of two sessions, or of one alone. */
const CALLS_OF_SEVERAL = 3
const CALLS_OF_ONE = 5
/** Share of the calls from which a longer one stands for its parent. */
const STANDS_FOR_PARENT = 0.5
/** Least share of what was written or read that must have been read. */
const LEAST_READ = 0.3
/** A day's figures are not drawn from less time than this. */
const SHORTEST_MS = HOUR_MS

/**
 * Judges a candidate. `longer`: those that continue it. Pure: the same counts give the same answer.
 */
export function judged(
  one: Candidate,
  longer: readonly Candidate[],
  facts: Pick<ModelFacts, 'minimumTokens' | 'price' | 'primitives' | 'outputFloorTokens' | 'retentions'>,
  now: number,
): Judgement {
  const kept = keptAlive(one, facts, now)
  const found: Objection[] = [
    ...(recurs(one) ? [] : (['few_calls'] as const)),
    ...(one.tokens < (facts.minimumTokens ?? 0) ? (['below_minimum'] as const) : []),
    ...(fansOut(one) ? [] : (['no_fan_out'] as const)),
    ...(longer.some((child) => standsFor(child, one)) ? (['longer_one'] as const) : []),
    ...(isRarelyRead(one) ? (['rarely_read'] as const) : []),
    ...('objection' in kept ? [kept.objection] : []),
  ]
  const [first] = found
  const plan = 'objection' in kept ? { keepAlives: 0, costNanosPerDay: null, savingNanosPerDay: null } : kept
  return { ...plan, worth: first === undefined, objections: found, why: first === undefined ? WORTH : WHY[first] }
}

const WORTH = 'it recurs, and keep-alives across its idle times would have cost less than the writes they avoid'
const WHY: Record<Objection, string> = {
  few_calls: `too few calls began with it: ${CALLS_OF_SEVERAL} from two sessions, or ${CALLS_OF_ONE} from one, are a habit`,
  below_minimum: 'it is shorter than the least that the model caches',
  no_fan_out: 'all its calls go on in the same way, in one session: it is the history of one conversation',
  longer_one: 'half of its calls or more share a longer beginning, which is registered instead',
  rarely_read: 'what its calls wrote was hardly read again',
  not_renewable: 'the model has no retention that a read renews',
  unpriced: 'the price of the model is not known, so that nothing shows whether it would pay',
  no_saving:
    'its own calls keep it warm, or its idle times are so long that keep-alives would cost more than they save',
}

function recurs({ count, sessions }: Candidate): boolean {
  return count >= (distinct(sessions) >= 2 ? CALLS_OF_SEVERAL : CALLS_OF_ONE)
}

function fansOut({ followers, sessions }: Candidate): boolean {
  return distinct(followers) >= 2 || distinct(sessions) >= 2
}

function standsFor(child: Candidate, parent: Candidate): boolean {
  return child.count >= parent.count * STANDS_FOR_PARENT && recurs(child) && fansOut(child)
}

/** Where no write is reported nothing is known of it, and nothing is held against it. */
function isRarelyRead({ used: { readTokens, writtenTokens } }: Candidate): boolean {
  return writtenTokens > 0 && readTokens < LEAST_READ * (readTokens + writtenTokens)
}

type Kept = Pick<Judgement, 'keepAlives' | 'costNanosPerDay' | 'savingNanosPerDay'> | { objection: Objection }

/** The number of keep-alives with which the observed gaps would have cost least. Each gap counts with the longest of its class. */
function keptAlive(
  { tokens, gaps, firstAt, lastAt }: Candidate,
  { price: listed, primitives, outputFloorTokens, retentions }: Parameters<typeof judged>[2],
  now: number,
): Kept | { objection: Objection } {
  const [offer] = retentions
  if (offer === undefined || offer.kind === 'fixed') return { objection: 'not_renewable' }
  if (listed === null) return { objection: 'unpriced' }
  const price = atHour(listed, now)
  const write = writeNanos(tokens, 0, price, offer.name)
  if (write === null) return { objection: 'unpriced' }
  const outputTokens = primitives[0] === 'zero_output' ? 0 : (outputFloorTokens ?? 1)
  const probe = readNanos(tokens, outputTokens, price)
  const saved = write - readNanos(tokens, 0, price)
  const needed = gaps.map((count, at) => ({ count, probes: Math.ceil((GAP_ENDS_MS[at] ?? 0) / offer.ttlMs) - 1 }))
  const perDay = DAY_MS / Math.max(SHORTEST_MS, lastAt - firstAt)
  const choices = [...new Set(needed.map(({ probes }) => probes))].filter((most) => most > 0)
  const plans = choices.map((most) => {
    // The gap after the last call has no end yet.
    let [probes, avoided] = [most, 0]
    for (const gap of needed) {
      probes += gap.count * Math.min(gap.probes, most)
      if (gap.probes > 0 && gap.probes <= most) avoided += gap.count
    }
    return { keepAlives: most, cost: probes * probe, saving: avoided * saved }
  })
  const best = plans.toSorted((a, b) => b.saving - b.cost - (a.saving - a.cost)).at(0)
  if (best === undefined || best.saving <= best.cost) return { objection: 'no_saving' }
  return {
    keepAlives: best.keepAlives,
    costNanosPerDay: Math.round(best.cost * perDay),
    savingNanosPerDay: Math.round(best.saving * perDay),
  }
}
