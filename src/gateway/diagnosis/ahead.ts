import { decoding } from '../decoding.ts'
import type { Framing } from '../../usage/find.ts'

/** Longest real time for which the headers of an answer wait for what comes with them. */
const PATIENCE_MS = 5
/** Most bytes that are taken ahead. */
const MOST_BYTES = 256 * 1024

/** What of an answer was here with its headers. */
export interface Ahead {
  reader: ReadableStreamDefaultReader<Uint8Array>
  /** What was read, for whoever passes the answer on. */
  pieces: Uint8Array[]
  /** The read that has not ended; null: none was begun. */
  next: ReturnType<ReadableStreamDefaultReader<Uint8Array>['read']> | null
  /** The pieces as text; null: there are none, or they could not be decoded in time. */
  text: string | null
}

/**
 * Takes what comes with the headers of an answer: the first piece of a stream, all of another one. Waits for 5 ms at most, and holds back no byte
 * that the caller could have had: none goes before the headers.
 */
export async function readAhead(
  body: ReadableStream<Uint8Array>,
  framing: Framing,
  encoding: string | null,
  patienceMs = PATIENCE_MS,
): Promise<Ahead> {
  const ahead: Ahead = { reader: body.getReader(), pieces: [], next: null, text: null }
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<null>((resolve) => {
    timer = setTimeout(() => resolve(null), patienceMs)
  })
  let bytes = 0
  try {
    while (bytes < MOST_BYTES) {
      ahead.next = ahead.reader.read()
      // One that fails is told to whoever passes the answer on.
      const got = await Promise.race([ahead.next.catch(() => null), late])
      if (got === null || got.done) break
      ahead.next = null
      ahead.pieces.push(got.value)
      bytes += got.value.byteLength
      if (framing !== 'json') break
    }
    const texts: Uint8Array[] = []
    const decoder = decoding(encoding, (piece) => texts.push(piece))
    if (decoder === null || bytes === 0) return ahead
    for (const piece of ahead.pieces) decoder.add(piece)
    if ((await Promise.race([decoder.end().then(() => true), late])) === null) return ahead
    ahead.text = new TextDecoder().decode(Buffer.concat(texts))
    return ahead
  } finally {
    clearTimeout(timer)
  }
}
