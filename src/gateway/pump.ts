import type { Ahead } from './diagnosis/ahead.ts'

/** Real time for which a call whose caller left is read on: less than the 30 s that the platform gives. */
export const DRAIN_MS = 25_000

/** How a body that is read here goes on. */
export interface Watcher {
  /** Gets each piece after it went on to the caller. */
  piece?: (bytes: Uint8Array) => void
  /** Called once. `left`: the caller left, or the stream broke, before its end. */
  ended?: (left: boolean) => void
}

/**
 * The same bytes, of which there are `length`, read here and passed on piece by piece, each side as fast as the other one. `done` resolves at the end of the work. A caller who
 * leaves ends the provider's call at once, or, with `drains`, lets it go on to its end: the provider finishes what it bills anyway. The signal
 * tells of one who leaves in a silence; a write that fails, of one who leaves while bytes flow. No `tee()`: an abandoned call would run to its end.
 */
export function pumped(
  body: ReadableStream<Uint8Array>,
  {
    length,
    signal,
    drains,
    watcher = {},
    ahead = { reader: body.getReader(), pieces: [], next: null },
  }: { length: number | null; signal: AbortSignal; drains: boolean; watcher?: Watcher; ahead?: Omit<Ahead, 'text'> },
): { readable: ReadableStream<Uint8Array>; done: Promise<void> } {
  const { readable, writable } = length === null ? new IdentityTransformStream() : new FixedLengthStream(length)
  return { readable, done: pump(ahead, writable.getWriter(), signal, drains, watcher) }
}

async function pump(
  { reader, pieces, next }: Omit<Ahead, 'text'>,
  writer: WritableStreamDefaultWriter<Uint8Array>,
  signal: AbortSignal,
  drains: boolean,
  { piece, ended }: Watcher,
): Promise<void> {
  let left = false
  let timer: ReturnType<typeof setTimeout> | undefined
  const leave = (): void => {
    if (left) return
    left = true
    if (drains) timer = setTimeout(() => reader.cancel().catch(() => {}), DRAIN_MS)
    else reader.cancel().catch(() => {})
  }
  if (!drains) signal.addEventListener('abort', leave, { once: true })
  if (signal.aborted && !drains) leave()
  let whole = false
  const passOn = async (value: Uint8Array): Promise<void> => {
    if (!left) await writer.write(value).catch(leave)
    piece?.(value)
  }
  try {
    for (const one of pieces) await passOn(one)
    let reading = next ?? reader.read()
    for (;;) {
      const { done, value } = await reading
      if (done) break
      await passOn(value)
      reading = reader.read()
    }
    whole = !left || drains
    if (!left) await writer.close().catch(() => {})
  } catch (thrown) {
    // The provider's stream broke, and so does the caller's.
    await writer.abort(thrown).catch(() => {})
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', leave)
    ended?.(!whole)
  }
}
