import { tokensNanos } from './price.ts'
import { dayOf, HOUR_MS, nextDayAt } from '../time/time.ts'

/** A price of storage from an instant on. Rows are in order of time; the first row also holds for the time before it. */
export interface StorageRate {
  fromAt: number
  /** Nano-dollars per million tokens and hour. */
  nanosPerMTokHour: number
}

/** Token-milliseconds in a million token-hours. */
const TOKEN_HOURS = BigInt(1_000_000 * HOUR_MS)

/**
 * Cost of storing tokens from one instant to another, in nano-dollars: tokens × hours × price, with the price of each period.
 * Rounded up, so that a sum never understates. Null: the tokens or the price are unknown.
 */
export function storageNanos(
  tokens: number | null,
  fromAt: number,
  toAt: number,
  rates: readonly StorageRate[],
): number | null {
  if (tokens === null || rates.length === 0) return null
  // In whole numbers of any size: a sum of fractions would be a nano-dollar too much now and then.
  let total = 0n
  for (const [index, rate] of rates.entries()) {
    const start = index === 0 ? fromAt : Math.max(fromAt, rate.fromAt)
    const end = Math.min(toAt, rates[index + 1]?.fromAt ?? toAt)
    if (end > start)
      total += BigInt(Math.ceil(tokens)) * BigInt(Math.ceil(end - start)) * BigInt(Math.ceil(rate.nanosPerMTokHour))
  }
  return Number((total + TOKEN_HOURS - 1n) / TOKEN_HOURS)
}

/** What was charged for a stretch of storage on one UTC day. */
export interface StorageOfDay {
  day: string
  nanos: number
}

/**
 * Cost of storage from one instant to another by UTC day, in nano-dollars. `sinceAt`: where the storage began. Amounts are differences of
 * what it costs since then, so that parts add up to the cost of the whole, however often it is counted. Null: the tokens or the price are
 * unknown.
 */
export function storageByDay(
  tokens: number | null,
  { sinceAt, fromAt, toAt }: { sinceAt: number; fromAt: number; toAt: number },
  rates: readonly StorageRate[],
): StorageOfDay[] | null {
  if (tokens === null || rates.length === 0) return null
  const days: StorageOfDay[] = []
  for (let at = fromAt; at < toAt;) {
    const endAt = Math.min(toAt, nextDayAt(at))
    const [before, after] = [at, endAt].map((until) => storageNanos(tokens, sinceAt, until, rates) ?? 0)
    days.push({ day: dayOf(at), nanos: (after ?? 0) - (before ?? 0) })
    at = endAt
  }
  return days
}

/** Cost of the creation alone, in nano-dollars. */
export function creationNanos(tokens: number, inputNanosPerMTok: number): number {
  return tokensNanos(tokens, inputNanosPerMTok)
}
