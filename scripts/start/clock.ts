/**
 * The virtual clock that Pilotlight and the lab share: virtual = anchor + rate × real time since the anchor. It does not move while
 * stopped, so a second start finds every cache as the first one left it. It never goes backwards.
 */
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'

export interface Anchor {
  realAt: number
  virtualAt: number
  rate: number
}

/** Record of the clock between two starts. */
export interface Kept {
  virtualAt: number
  rate: number
  /** False while running. After a crash it is still false: the last moments were not recorded. */
  stopped: boolean
}

/** Longest real time between the last record and the end of a killed run. */
const unrecordedMs = 10_000

/** Returns the instant at which the clock resumes. A first start begins at the real time. */
export function resume(kept: Kept | null, rate: number, realNow: number): Anchor {
  if (kept === null) return { realAt: realNow, virtualAt: realNow, rate }
  return { realAt: realNow, virtualAt: kept.virtualAt + (kept.stopped ? 0 : unrecordedMs * kept.rate), rate }
}

export function virtualNow(anchor: Anchor, realNow: number): number {
  return anchor.virtualAt + anchor.rate * (realNow - anchor.realAt)
}

export function loadClock(file: string): Kept | null {
  if (!existsSync(file)) return null
  const kept = readKept(file)
  const { virtualAt, rate = 1, stopped = false } = kept ?? {}
  if (
    typeof virtualAt !== 'number' ||
    !(virtualAt >= 0 && virtualAt <= LAST_INSTANT) ||
    !(rate >= 1 && rate <= MAX_RATE)
  )
    throw new Error(`${file} is damaged: it holds no time`)
  return { virtualAt, rate, stopped }
}

/** The last instant that a date can have. */
const LAST_INSTANT = 8.64e15
const MAX_RATE = 1_000

function readKept(file: string): Partial<Kept> | null {
  try {
    const kept: unknown = JSON.parse(readFileSync(file, 'utf8'))
    return typeof kept === 'object' ? kept : null
  } catch {
    return null // no file that can be read, or no JSON
  }
}

/** Writes the record to another file and renames that, so that a crash leaves the old record or the new one. */
export function keepClock(file: string, kept: Kept): void {
  writeFileSync(`${file}.new`, JSON.stringify(kept))
  renameSync(`${file}.new`, file)
}
