import { uploaded } from './upload.ts'
import type { NoCopy, Room } from './upload.ts'

/** Longest body of a request that is read to find its prefix. */
export const MOST_BODY_BYTES = 1024 * 1024
/** Bodies that one isolate holds at once. Calls beyond it pass unread. */
const MOST_HELD_BYTES = 24 * 1024 * 1024
let held = 0

/** Why the body of a request is not read; null: it is, or at least begun. */
export function unreadBody({ headers, body }: Pick<Request, 'headers' | 'body'>): string | null {
  if (body === null || !/\bjson\b/i.test(headers.get('content-type') ?? '')) return 'its body is not JSON'
  if (headers.has('content-encoding')) return 'its body is compressed'
  const length = Number(headers.get('content-length') ?? 0)
  if (length > MOST_BODY_BYTES) return UNREAD['too long']
  return held + length > MOST_HELD_BYTES ? UNREAD['no room'] : null
}

export const UNREAD: Readonly<Record<NoCopy, string>> = {
  'too long': 'its body is too long',
  'no room': 'too many bodies are held',
  'broken off': 'the provider took no more of its body',
}

/** Room for one body among those that the isolate holds. */
export function roomForOne(): Room {
  let own = 0
  return {
    take: (bytes) => {
      if (held + bytes > MOST_HELD_BYTES) return false
      held += bytes
      own += bytes
      return true
    },
    release: () => {
      held -= own
      own = 0
    },
  }
}

/** A body that is being read. `body`: it goes on while it comes; absent: once it is here. */
interface BodyRead {
  whole: Promise<ArrayBuffer | Uint8Array | null>
  body?: ReadableStream<Uint8Array>
  noCopy: () => NoCopy | null
}

export function bodyOf(request: Request, room: Room): BodyRead {
  const { headers, body, signal } = request
  const length = headers.get('content-length')
  if (length === null && body !== null) return uploaded(body, { most: MOST_BODY_BYTES, room, signal })
  room.take(Number(length))
  // A caller who leaves in the middle of its upload ends the reading without a word, unless work is announced.
  signal.addEventListener('abort', room.release, { once: true })
  return { whole: request.arrayBuffer(), noCopy: () => null }
}
