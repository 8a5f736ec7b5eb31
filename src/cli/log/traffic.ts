import { UsageError } from '../shell.ts'
import { columnsFormat, Unmet } from './columns.ts'
import type { Columns } from './columns.ts'
import { fault } from './entry.ts'
import type { Entry, Fault, Fields, Format, LogRecord, Reading } from './entry.ts'
import { formatNamed, formatOf, unknownFormat } from './formats.ts'
import { recordsOf } from './records.ts'
import { Runs } from './runs.ts'

/** All requests of one prefix: their instants and sizes. */
export interface PrefixLog {
  label: string
  provider: string | null
  model: string | null
  runs: Runs
  requests: number
  /** Sizes of the requests whose records have them. */
  tokens: Sizes
  cached: Sizes
}

/** Statistics of sizes in tokens that a replay needs. */
export interface Sizes {
  count: number
  sum: number
  least: number
  most: number
}

/** Unusable records with the same fault. `line`: that of the first one. */
export interface Unused {
  field: string | null
  right: string
  count: number
  line: number
}

export interface Log {
  format: string
  prefixes: PrefixLog[]
  requests: number
  fromAt: number
  toAt: number
  unusable: Unused[]
  /** Numbers of records that do not belong to a replay, by their kind. */
  leftOut: Record<string, number>
}

/** Limits for Node's default memory: a gap takes 24 bytes, a prefix about half a kilobyte. */
export const LIMITS = { prefixes: 500_000, gaps: 20_000_000 }

export interface ReadOptions {
  format?: string
  /** Columns that the user named, in place of a format. */
  columns?: Columns
  /** Stop at the first record that cannot be used. */
  strict?: boolean
  limits?: typeof LIMITS
  largest?: number
}

/** Records of no known format at the beginning of a log after which it is refused. */
const MOST_EARLY = 1_000

const AROUND = 'spans that repeat the tokens of their children'
const REPEATED = 'requests that the log holds more than once'

/** Ids of the latest requests. Repeats stand near each other: an exporter sent again, or pages overlap. */
class Recent {
  #newer = new Set<string>()
  #older = new Set<string>()

  /** Whether an id is among the latest. */
  has(id: string | undefined): boolean {
    return id !== undefined && (this.#newer.has(id) || this.#older.has(id))
  }

  add(id: string | undefined): void {
    if (id === undefined || this.#newer.has(id)) return
    this.#newer.add(id)
    if (this.#newer.size < MOST_RECENT) return
    this.#older = this.#newer
    this.#newer = new Set()
  }
}

/** Latest ids that are kept: at least as many, and at most twice as many. */
const MOST_RECENT = 100_000

/** Reads a whole log and keeps only the data of a replay. Throws `UsageError` with the line for a log that it cannot read. */
export async function readLog(bytes: AsyncIterable<Uint8Array>, options: ReadOptions = {}): Promise<Log> {
  const { strict = false, limits = LIMITS } = options
  let format: Format | null = options.format === undefined ? null : formatNamed(options.format)
  if (options.columns !== undefined) format = columnsFormat(options.columns)
  const unmet = new Unmet(options.columns ?? {})
  const prefixes = new Map<string, PrefixLog>()
  const unusable = new Map<string, Unused>()
  const leftOut: Record<string, number> = {}
  let gaps = 0
  let [requests, fromAt, toAt] = [0, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
  const refuse = (line: number, { field, right }: Fault): void => {
    if (strict) throw new UsageError(unusedWords({ field, right, line, count: 1 }))
    const key = `${field} ${right}`
    const known = unusable.get(key)
    if (known === undefined) unusable.set(key, { field, right, count: 1, line })
    else known.count += 1
  }
  const seen = new Recent()
  // Exporters send a span when it ends, so those within it come before it, or in the same record.
  const parents = new Recent()
  const early: LogRecord[] = []
  const noFormat = (): UsageError => {
    const first = early.find((record) => 'fields' in record)
    return first === undefined ? new UsageError('the log is empty') : unknownFormat(first.fields, first.line)
  }
  const take = (record: LogRecord): void => {
    if ('fault' in record) {
      refuse(record.line, record.fault)
      return
    }
    format ??= formatOf(record.fields)
    if (format === null) {
      early.push(record)
      if (early.length >= MOST_EARLY) throw noFormat()
      return
    }
    unmet.see(record.fields)
    // Lines before the first one that tells the format.
    early.splice(0).forEach(take)
    const found = readings(format, record.fields)
    for (const reading of found) if ('entry' in reading) parents.add(reading.entry.parent)
    for (const reading of found) {
      if ('fault' in reading) refuse(record.line, reading.fault)
      else if ('leftOut' in reading) leftOut[reading.leftOut] = (leftOut[reading.leftOut] ?? 0) + 1
      else {
        const { entry } = reading
        const twice = seen.has(entry.id) ? REPEATED : parents.has(entry.id) ? AROUND : null
        seen.add(entry.id)
        if (twice !== null) {
          leftOut[twice] = (leftOut[twice] ?? 0) + 1
          continue
        }
        const prefix = prefixOf(prefixes, entry)
        gaps += prefix.runs.add(entry.at)
        prefix.requests += 1
        measure(prefix.tokens, entry.tokens)
        measure(prefix.cached, entry.cached === 0 ? null : entry.cached)
        requests += 1
        fromAt = Math.min(fromAt, entry.at)
        toAt = Math.max(toAt, entry.at)
        if (prefixes.size > limits.prefixes) throw tooMuch(record.line, `${limits.prefixes} prefixes`)
        if (gaps > limits.gaps) throw tooMuch(record.line, `${limits.gaps} idle gaps`)
      }
    }
  }
  for await (const records of recordsOf(bytes, options.largest)) records.forEach(take)
  if (format === null && early.length > 0) throw noFormat()
  const missing = unmet.words()
  if (missing !== null) throw new UsageError(missing)
  const faults = [...unusable.values()].toSorted((a, b) => a.line - b.line)
  if (requests === 0) throw new UsageError(nothingWords(faults, leftOut))
  const name = format?.name ?? ''
  return { format: name, prefixes: [...prefixes.values()], requests, fromAt, toAt, unusable: faults, leftOut }
}

/** Reads a record. One that is nested too deeply to walk is a fault, and the others are still read. */
function readings(format: Format, fields: Fields): Reading[] {
  try {
    return format.read(fields)
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    return [fault(null, 'a record with fewer nested levels')]
  }
}

function prefixOf(prefixes: Map<string, PrefixLog>, { prefix, label, provider, model }: Entry): PrefixLog {
  const key = JSON.stringify([provider, model, prefix])
  const known = prefixes.get(key)
  if (known !== undefined) return known
  const fresh = { label, provider, model, runs: new Runs(), requests: 0, tokens: noSizes(), cached: noSizes() }
  prefixes.set(key, fresh)
  return fresh
}

function noSizes(): Sizes {
  return { count: 0, sum: 0, least: Number.POSITIVE_INFINITY, most: 0 }
}

function measure(sizes: Sizes, tokens: number | null): void {
  if (tokens === null) return
  sizes.count += 1
  sizes.sum += tokens
  sizes.least = Math.min(sizes.least, tokens)
  sizes.most = Math.max(sizes.most, tokens)
}

function tooMuch(line: number, what: string): UsageError {
  return new UsageError(`line ${line}: the log holds more than ${what}; split it by time or by prefix`)
}

/** Writes a fault as a sentence: its place, and a correct value. */
export function unusedWords({ field, right, line }: Unused): string {
  return `line ${line}${field === null ? '' : `, ${field}`}: expected ${right}`
}

function nothingWords(faults: readonly Unused[], leftOut: Readonly<Record<string, number>>): string {
  const first = faults[0]
  const kinds = Object.entries(leftOut).map(([what, count]) => `${what} (${count})`)
  const rest = kinds.length === 0 ? '' : ` Left out: ${kinds.join('; ')}.`
  return `this log has no usable request.${first === undefined ? '' : ` First, ${unusedWords(first)}.`}${rest}`
}
