import { createGunzip } from 'node:zlib'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { UsageError } from '../shell.ts'
import { csvRows } from './csv.ts'
import { readJson } from './entry.ts'
import type { LogRecord } from './entry.ts'
import { jsonLines, jsonValues } from './json.ts'

/** Largest record (a line, a row, an element of an array), in characters. No log of requests has larger ones. */
export const LARGEST_RECORD = 16 * 1024 * 1024

const HEAD_BYTES = 64 * 1024

/**
 * Reads the records of a log, a few at a time, without keeping others in memory. The content tells the form: CSV, one JSON object a
 * line, a JSON array or a JSON document, each also as gzip. Throws `UsageError` for any other content.
 */
export async function* recordsOf(
  bytes: AsyncIterable<Uint8Array>,
  largest = LARGEST_RECORD,
): AsyncGenerator<LogRecord[]> {
  const packed = await peeked(bytes)
  const gzip = packed.head[0] === 0x1f && packed.head[1] === 0x8b
  const { head, all } = gzip ? await peeked(unpacked(packed.all)) : packed
  if (head.length === 0) throw new UsageError('the log is empty')
  if (head.subarray(0, 4).toString('latin1') === 'PAR1')
    throw new UsageError('Parquet is not supported; export CSV, JSON or JSONL instead')
  if (head.includes(0))
    throw new UsageError('this is not text; expected CSV, JSON or JSONL, optionally compressed with gzip')
  const start = head
    .toString('utf8')
    .replace(/^\uFEFF/, '')
    .trimStart()
  if (start === '') throw new UsageError('the log is empty')
  if (start[0] === '[') yield* jsonValues(texts(all), largest)
  else if (start[0] !== '{') yield* csvRows(all, start, largest)
  else if (readJson(start.split('\n', 1)[0]) !== undefined) yield* jsonLines(texts(all), largest)
  else yield* jsonValues(texts(all), largest)
}

/** Returns the first bytes, and a stream that begins with them again. */
async function peeked(bytes: AsyncIterable<Uint8Array>): Promise<{ head: Buffer; all: AsyncIterable<Uint8Array> }> {
  const iterator = bytes[Symbol.asyncIterator]()
  const first: Uint8Array[] = []
  let length = 0
  while (length < HEAD_BYTES) {
    const { done, value } = await iterator.next()
    if (done === true) break
    first.push(value)
    length += value.length
  }
  async function* all(): AsyncGenerator<Uint8Array> {
    yield* first
    for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) yield next.value
  }
  return { head: Buffer.concat(first), all: all() }
}

async function* unpacked(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const gunzip = createGunzip()
  const ended = pipeline(Readable.from(bytes), gunzip, { end: true }).catch((error: unknown) => error)
  try {
    for await (const chunk of gunzip) yield chunk as Buffer
  } catch {
    throw new UsageError('the log is compressed with gzip but cannot be unpacked; it is damaged or cut off')
  } finally {
    await ended
  }
}

async function* texts(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder() // removes a byte order mark
  for await (const chunk of bytes) yield decoder.decode(chunk, { stream: true })
  yield decoder.decode()
}
