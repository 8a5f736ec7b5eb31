/** Room for the bytes of bodies that are held. */
export interface Room {
  /** Takes room for so many more bytes. False: there is none. */
  take: (bytes: number) => boolean
  release: () => void
}

/** Why there is no copy of a body. */
export type NoCopy = 'too long' | 'no room' | 'broken off'

/** A body on its way. */
export interface Upload {
  /** The same bytes, as fast as the provider takes them. */
  body: ReadableStream<Uint8Array>
  /** Its bytes, once all went on; null: there is no copy. */
  whole: Promise<Uint8Array | null>
  /** Why there is no copy; null: there is one, as far as it came. */
  noCopy: () => NoCopy | null
}

/**
 * Passes on a body of unknown length, each piece before it is looked at, and keeps a copy of at most `most` bytes. A longer one goes on without a
 * copy. A caller who leaves breaks it off.
 */
export function uploaded(
  given: ReadableStream<Uint8Array>,
  { most, room, signal }: { most: number; room: Room; signal: AbortSignal },
): Upload {
  const { readable, writable } = new IdentityTransformStream()
  const copy = new Copy(most, room)
  const whole = passed(given.getReader(), writable.getWriter(), copy, signal)
  return { body: readable, whole, noCopy: () => copy.missing }
}

async function passed(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  writer: WritableStreamDefaultWriter<Uint8Array>,
  copy: Copy,
  signal: AbortSignal,
): Promise<Uint8Array | null> {
  const leave = (): void => void reader.cancel().catch(() => {})
  signal.addEventListener('abort', leave, { once: true })
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) break
      await writer.write(value)
      copy.add(value)
    }
    if (signal.aborted) throw new Error('the caller left')
    await writer.close()
    return copy.bytes()
  } catch (thrown) {
    // The caller left, or the provider takes no more of it.
    copy.drop('broken off')
    await Promise.allSettled([writer.abort(thrown), reader.cancel(thrown)])
    return null
  } finally {
    signal.removeEventListener('abort', leave)
  }
}

class Copy {
  readonly #most: number
  readonly #room: Room
  #pieces: Uint8Array[] = []
  #length = 0
  missing: NoCopy | null = null

  constructor(most: number, room: Room) {
    this.#most = most
    this.#room = room
  }

  add(piece: Uint8Array): void {
    if (this.missing !== null) return
    this.#length += piece.byteLength
    if (this.#length > this.#most) this.drop('too long')
    else if (this.#room.take(piece.byteLength)) this.#pieces.push(piece)
    else this.drop('no room')
  }

  drop(why: NoCopy): void {
    this.missing ??= why
    this.#pieces = []
    this.#room.release()
  }

  bytes(): Uint8Array | null {
    if (this.missing !== null) return null
    const all = new Uint8Array(this.#length)
    let at = 0
    for (const piece of this.#pieces) {
      all.set(piece, at)
      at += piece.byteLength
    }
    this.#pieces = []
    return all
  }
}
