import { CsvError, parse } from 'csv-parse'
import { UsageError } from '../shell.ts'
import { tooLargeRight } from './entry.ts'
import type { LogRecord } from './entry.ts'
import { PLAIN } from './columns.ts'
import { readTime } from './time.ts'

/**
 * Reads rows of CSV, with the names of the first line as columns. Without such a line the columns are prefix, time and tokens. Each
 * piece of input gives one list of rows.
 */
export async function* csvRows(
  bytes: AsyncIterable<Uint8Array>,
  head: string,
  largest: number,
): AsyncGenerator<LogRecord[]> {
  const firstLine = head.split(/\r?\n/, 1)[0] ?? ''
  const count = (mark: string): number => firstLine.split(mark).length
  const delimiter = [',', ';', '\t'].reduce((best, mark) => (count(mark) > count(best) ? mark : best))
  let names: string[] | null = null
  let headless = false
  let before = { lines: 0, empty: 0 }
  let rows: LogRecord[] = []
  const parser = parse({
    bom: true,
    delimiter,
    relax_column_count: true,
    relax_quotes: true,
    skip_empty_lines: true,
    max_record_size: largest - 1, // csv-parse checks before it adds the last character
    trim: true,
    // The callback gets each row as it is parsed, which takes half as long as reading rows from the stream.
    on_record: (cells: string[], info) => {
      const line = before.lines + (info.empty_lines - before.empty) + 1
      before = { lines: info.lines, empty: info.empty_lines }
      if (names === null) {
        headless = cells.length >= 2 && readTime(cells[1]) !== null
        names = headless ? [PLAIN.prefix[0], PLAIN.time[0], PLAIN.tokens[0]] : cells
        if (!headless) return null
      }
      rows.push(row(line, names, headless, cells))
      return null
    },
  })
  const taken = (): LogRecord[] => {
    const found = rows
    rows = []
    return found
  }
  const failed = new Promise<never>((_resolve, reject) => parser.on('error', reject))
  try {
    for await (const chunk of bytes) {
      await Promise.race([failed, new Promise<void>((resolve) => parser.write(chunk, () => resolve()))])
      yield taken()
    }
    await Promise.race([failed, new Promise<void>((resolve) => parser.resume().end(() => resolve()))])
    yield taken()
  } catch (error) {
    if (error instanceof CsvError) throw new UsageError(`line ${parser.info.lines}: ${csvWords(error.code, largest)}`)
    throw error
  }
}

function row(line: number, names: readonly string[], headless: boolean, cells: readonly string[]): LogRecord {
  if (cells.length === names.length || (headless && cells.length === names.length - 1))
    return { line, fields: Object.fromEntries(names.map((name, index) => [name, cells[index] ?? ''])) }
  const right = headless ? 'prefix,time,tokens' : `${names.length} columns, as in the first line`
  return { line, fault: { field: null, right } }
}

function csvWords(code: string, largest: number): string {
  if (code === 'CSV_QUOTE_NOT_CLOSED') return 'an earlier quotation mark is never closed'
  if (code === 'CSV_MAX_RECORD_SIZE') return `the row is too large; expected ${tooLargeRight(largest)}`
  return 'not CSV; expected cells between commas, quoted if they contain commas or line breaks'
}
