import { gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { readAhead } from '../../../src/gateway/diagnosis/ahead.ts'
import type { Ahead } from '../../../src/gateway/diagnosis/ahead.ts'

const bytes = (text: string) => new Uint8Array(new TextEncoder().encode(text))

/** Longer than a busy machine takes for what is here already. */
const LONG_MS = 30_000

/** A body of these pieces; the rest comes when `more` is called, and never before. */
function body(...pieces: Uint8Array[]) {
  let send: ReadableStreamDefaultController<Uint8Array> | undefined
  const stream = new ReadableStream<Uint8Array>({
    start: (controller) => {
      send = controller
      for (const piece of pieces) controller.enqueue(piece)
    },
  })
  return {
    stream,
    more: (text: string) => send?.enqueue(bytes(text)),
    end: () => send?.close(),
    fail: (why: Error) => send?.error(why),
  }
}

/** Everything that a reader of what is left gets, in its order. */
async function all({ pieces, next, reader }: Ahead): Promise<string> {
  const got = [...pieces]
  for (let reading = next ?? reader.read(); ; reading = reader.read()) {
    const { done, value } = await reading
    if (done) return Buffer.concat(got).toString()
    got.push(value)
  }
}

describe('what comes with the headers of an answer', () => {
  it('is all of a JSON text that is here, and no byte is lost', async () => {
    const { stream, end } = body(bytes('{"usage":'), bytes('{"input_tokens":3}}'))
    end()
    const ahead = await readAhead(stream, 'json', null, LONG_MS)
    expect(ahead.text).toBe('{"usage":{"input_tokens":3}}')
    expect(await all(ahead)).toBe('{"usage":{"input_tokens":3}}')
  })

  it('is the first piece of a stream, which is not waited for any longer', async () => {
    const { stream, more, end } = body(bytes('event: message_start\n\n'), bytes('event: ping\n\n'))
    const ahead = await readAhead(stream, 'events', 'identity', LONG_MS)
    expect(ahead.text).toBe('event: message_start\n\n')
    more('event: message_stop\n\n')
    end()
    expect(await all(ahead)).toBe('event: message_start\n\nevent: ping\n\nevent: message_stop\n\n')
  })

  it('is nothing where nothing comes in time, and what comes later is passed on', async () => {
    const { stream, more, end } = body()
    const ahead = await readAhead(stream, 'json', null)
    expect(ahead).toMatchObject({ text: null, pieces: [] })
    more('{}')
    end()
    expect(await all(ahead)).toBe('{}')
  })

  it('is read where it is compressed, and stays as it came', async () => {
    const packed = gzipSync('{"usage":{"input_tokens":3}}')
    const { stream, end } = body(new Uint8Array(packed))
    end()
    const ahead = await readAhead(stream, 'json', 'gzip', LONG_MS)
    expect(ahead.text).toBe('{"usage":{"input_tokens":3}}')
    expect(Buffer.concat(ahead.pieces).equals(packed)).toBe(true)
    const unknown = body(bytes('x'))
    expect(await readAhead(unknown.stream, 'json', 'compress')).toMatchObject({ text: null })
  })

  it('fails for whoever passes it on, and not before', async () => {
    const { stream, fail } = body()
    const reading = readAhead(stream, 'json', null)
    fail(new Error('reset'))
    const ahead = await reading
    expect(ahead.text).toBeNull()
    await expect(all(ahead)).rejects.toThrow('reset')
  })
})
