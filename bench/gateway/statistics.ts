import { quantile } from '../figure.ts'

/** A figure and the interval in which 95 % of its resamplings lie. */
export interface Estimate {
  value: number
  interval: [from: number, to: number]
}

/** Draws a number from 0 to below 1. */
export type Chance = () => number

const RESAMPLINGS = 400
/** Rounds that are drawn together: neighbours share the state of the machine. */
const BLOCK = 10

/**
 * By how much a quantile of one series lies above that of another one. Both were measured in turns: `times[n]` of both are of one round, and are drawn
 * together.
 */
export function addedQuantile(
  { base, other }: { base: readonly number[]; other: readonly number[] },
  share: number,
  chance: Chance,
): Estimate {
  const rounds = Math.min(base.length, other.length)
  const all = Array.from({ length: rounds }, (_, n) => n)
  const added = (some: readonly number[]): number =>
    quantile(picked(other, some), share) - quantile(picked(base, some), share)
  return estimated(all, BLOCK, added, chance)
}

/** CPU of one block of calls. */
export interface CpuBlock {
  cpuMs: number
  calls: number
}

/** CPU of a call by one series of blocks, over that by another one. */
export function cpuRatio(base: readonly CpuBlock[], other: readonly CpuBlock[], chance: Chance): Estimate {
  return overBlocks(base, other, (some) => perCall(other, some) / perCall(base, some), chance)
}

/** Milliseconds of CPU of a call. */
export function cpuOfCall(blocks: readonly CpuBlock[], chance: Chance): Estimate {
  return overBlocks(blocks, blocks, (some) => perCall(blocks, some), chance)
}

/** One size of body, measured with two gateways. */
export interface SizeBlocks {
  bytes: number
  base: readonly CpuBlock[]
  other: readonly CpuBlock[]
}

/**
 * Milliseconds of CPU that a gateway takes beyond the other one for each megabyte (10⁶ bytes) of a body: what the long bodies cost more than the short
 * ones, so that nothing of a call that is the same at every length is in it.
 */
export function cpuPerMegabyte(short: SizeBlocks, long: SizeBlocks, chance: Chance): Estimate {
  const megabytes = (long.bytes - short.bytes) / 1e6
  const beyond = ({ base, other }: SizeBlocks, some: readonly number[]): number =>
    perCall(other, some) - perCall(base, some)
  return overBlocks(short.base, long.base, (some) => (beyond(long, some) - beyond(short, some)) / megabytes, chance)
}

function overBlocks(
  one: readonly unknown[],
  other: readonly unknown[],
  value: (some: readonly number[]) => number,
  chance: Chance,
): Estimate {
  const all = Array.from({ length: Math.min(one.length, other.length) }, (_, n) => n)
  return estimated(all, 1, value, chance)
}

function perCall(blocks: readonly CpuBlock[], some: readonly number[]): number {
  const drawn = picked(blocks, some)
  return drawn.reduce((sum, { cpuMs }) => sum + cpuMs, 0) / drawn.reduce((sum, { calls }) => sum + calls, 0)
}

function picked<Value>(values: readonly Value[], some: readonly number[]): Value[] {
  return some.flatMap((n) => values[n] ?? [])
}

/** The value of all, and the interval of the same value of as many that are drawn from them, `size` neighbours at a time. */
function estimated(
  all: readonly number[],
  size: number,
  valueOf: (some: readonly number[]) => number,
  chance: Chance,
): Estimate {
  const starts = Math.max(1, all.length - size + 1)
  const values = Array.from({ length: RESAMPLINGS }, () => {
    const some: number[] = []
    while (some.length < all.length) {
      const from = Math.floor(chance() * starts)
      some.push(...all.slice(from, from + Math.min(size, all.length - some.length)))
    }
    return valueOf(some)
  })
  return { value: valueOf(all), interval: [quantile(values, 0.025), quantile(values, 0.975)] }
}

/** Whether memory stays flat over the same load again and again: its last third is no more than a tenth, and 8 MB, above the one before. */
export function isFlat(megabytes: readonly number[]): boolean {
  const third = Math.floor(megabytes.length / 3)
  if (third === 0) return true
  const before = quantile(megabytes.slice(-2 * third, -third), 0.5)
  return quantile(megabytes.slice(-third), 0.5) <= before * 1.1 + 8
}
