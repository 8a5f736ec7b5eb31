import { HOUR_MS } from '../time/time.ts'

/** A price of storage from an instant on. Rows are in order of time; the first row also holds for the time before it. */
export interface StorageRate {
  fromAt: number
  /** Nano-dollars per million tokens and hour. */
  nanosPerMTokHour: number
}

const MILLION = 1_000_000

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
  let total = 0
  for (const [index, rate] of rates.entries()) {
    const start = index === 0 ? fromAt : Math.max(fromAt, rate.fromAt)
    const end = Math.min(toAt, rates[index + 1]?.fromAt ?? toAt)
    if (end > start) total += (tokens / MILLION) * ((end - start) / HOUR_MS) * rate.nanosPerMTokHour
  }
  return Math.ceil(total)
}

/** Cost of the creation alone, in nano-dollars. */
export function creationNanos(tokens: number, inputNanosPerMTok: number): number {
  return Math.ceil((tokens * inputNanosPerMTok) / MILLION)
}
