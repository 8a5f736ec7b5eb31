import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { CsvError, parse } from 'csv-parse'
import { UsageError } from '../shell.ts'
import { tooLargeRight } from './entry.ts'
import type { LogRecord } from './entry.ts'
import { PLAIN } from './plain.ts'
import { readTime } from './time.ts'

/** Rows of CSV by the names of the first line; without such a line they are prefix, time and tokens. */
export async function* csvRows(
  bytes: AsyncIterable<Uint8Array>,
  head: string,
  largest: number,
): AsyncGenerator<LogRecord> {
  const firstLine = head.split(/\r?\n/, 1)[0] ?? ''
  const count = (mark: string): number => firstLine.split(mark).length
  const delimiter = [',', ';', '\t'].reduce((best, mark) => (count(mark) > count(best) ? mark : best))
  const parser = parse({
    bom: true,
    delimiter,
    info: true,
    relax_column_count: true,
    relax_quotes: true,
    skip_empty_lines: true,
    max_record_size: largest - 1, // looked at before the last character is added
    trim: true,
  })
  const ended = pipeline(Readable.from(bytes), parser).catch((error: unknown) => error)
  let names: string[] | null = null
  let headless = false
  let before = { lines: 0, empty: 0 }
  try {
    for await (const { record: cells, info } of parser as AsyncIterable<{ record: string[]; info: CsvInfo }>) {
      const line = before.lines + (info.empty_lines - before.empty) + 1
      before = { lines: info.lines, empty: info.empty_lines }
      if (names === null) {
        headless = cells.length >= 2 && readTime(cells[1]) !== null
        names = headless ? [PLAIN.prefix[0], PLAIN.time[0], PLAIN.tokens[0]] : cells
        if (!headless) continue
      }
      yield row(line, names, headless, cells)
    }
  } catch (error) {
    if (error instanceof CsvError) throw new UsageError(`line ${parser.info.lines}: ${csvWords(error.code, largest)}`)
    throw error
  } finally {
    await ended
  }
}

interface CsvInfo {
  lines: number
  empty_lines: number
}

function row(line: number, names: readonly string[], headless: boolean, cells: readonly string[]): LogRecord {
  if (cells.length === names.length || (headless && cells.length === names.length - 1))
    return { line, fields: Object.fromEntries(names.map((name, index) => [name, cells[index] ?? ''])) }
  const right = headless ? 'prefix,time,tokens' : `${names.length} columns, as in the first line`
  return { line, fault: { field: null, right } }
}

function csvWords(code: string, largest: number): string {
  if (code === 'CSV_QUOTE_NOT_CLOSED') return 'a quotation mark is opened before here and never closed'
  if (code === 'CSV_MAX_RECORD_SIZE') return `the row is too large; right would be ${tooLargeRight(largest)}`
  return 'not CSV; right would be cells between commas, quoted where they hold commas or line breaks'
}
