import { PilotlightError, refused } from './connection.ts'
import type { Connection } from './connection.ts'

/** Stream of events, in order. Leaving a loop over it closes it. */
export interface Responses<Response> extends AsyncIterable<Response> {
  close(): void
}

/** Opens a stream of events over a WebSocket; resolves when that is open. */
export function overSocket<Event>(
  { baseUrl, headers, WebSocket }: Connection,
  path: string,
): Promise<Responses<Event>> {
  const socket = new WebSocket(`${baseUrl.replace(/^http/, 'ws')}${path}`, { headers })
  const queue = new EventQueue<Event>(() => socket.close(1000))
  return new Promise((resolve, reject) => {
    let isOpen = false
    const lost = (): void => {
      const message = isOpen
        ? 'the connection of the socket failed'
        : 'the socket was refused; check the id of the bot and the key'
      const error = new PilotlightError('internal', message, 0, true, {})
      if (isOpen) queue.end(error)
      else reject(error)
    }
    socket.addEventListener('open', () => {
      isOpen = true
      resolve(queue)
    })
    socket.addEventListener('message', ({ data }) => queue.push(JSON.parse(String(data)) as Event))
    socket.addEventListener('error', lost)
    socket.addEventListener('close', () => (isOpen ? queue.end() : lost()))
  })
}

/** Opens a stream of server-sent events; resolves when the answer has begun. */
export async function overEvents<Event>(
  { baseUrl, headers, fetch }: Connection,
  path: string,
): Promise<Responses<Event>> {
  const stop = new AbortController()
  const answer = await fetch(`${baseUrl}${path}`, {
    headers: { ...headers, accept: 'text/event-stream' },
    signal: stop.signal,
  })
  if (!answer.ok) throw await refused(answer)
  const queue = new EventQueue<Event>(() => stop.abort())
  void pour(answer, queue)
  return queue
}

async function pour<Event>({ body }: Response, queue: EventQueue<Event>): Promise<void> {
  try {
    let rest = ''
    const decoder = new TextDecoder()
    for await (const piece of body ?? []) {
      const events = `${rest}${decoder.decode(piece as Uint8Array, { stream: true })}`.split('\n\n')
      rest = events.pop() ?? ''
      for (const event of events) {
        const data = event.split('\n').flatMap((line) => (line.startsWith('data:') ? [line.slice(5).trimStart()] : []))
        if (data.length > 0) queue.push(JSON.parse(data.join('\n')) as Event)
      }
    }
    queue.end()
  } catch {
    queue.end(new PilotlightError('internal', 'the connection of the stream failed', 0, true, {}))
  }
}

/** Buffers the events that the reader has not read yet. */
class EventQueue<Event> implements Responses<Event> {
  readonly #items: Event[] = []
  readonly #stop: () => void
  #wake: (() => void) | null = null
  #ended = false
  #error: PilotlightError | null = null

  constructor(stop: () => void) {
    this.#stop = stop
  }

  push(item: Event): void {
    if (this.#ended) return
    this.#items.push(item)
    this.#wake?.()
  }

  end(error: PilotlightError | null = null): void {
    if (this.#ended) return
    this.#ended = true
    this.#error = error
    this.#wake?.()
  }

  close(): void {
    this.end()
    this.#stop()
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Event, void, undefined> {
    try {
      for (;;) {
        const item = this.#items.shift()
        if (item !== undefined) yield item
        else if (this.#error !== null) throw this.#error
        else if (this.#ended) return
        else await new Promise<void>((resolve) => (this.#wake = resolve))
      }
    } finally {
      this.close()
    }
  }
}
