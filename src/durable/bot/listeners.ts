import { Failure } from '../../contract/failure.ts'

const MAX_LISTENERS = 100
/** Most unread bytes of a listener; beyond that its stream is closed. */
const MAX_UNREAD_BYTES = 1_000_000

/**
 * Listeners of a bot's events. Sockets hibernate with the object and cost nothing while it sleeps. Server-sent streams live in its
 * memory, and keep the object awake and billed while they are open.
 */
export class BotListeners {
  readonly #ctx: DurableObjectState
  readonly #streams = new Set<ReadableStreamDefaultController<Uint8Array>>()
  readonly #encoder = new TextEncoder()

  constructor(ctx: DurableObjectState) {
    this.#ctx = ctx
  }

  get count(): number {
    return this.#ctx.getWebSockets().length + this.#streams.size
  }

  openSocket(): Response {
    if (this.count >= MAX_LISTENERS) return new Response(null, { status: 429 })
    const { 0: client, 1: server } = new WebSocketPair()
    this.#ctx.acceptWebSocket(server)
    return new Response(null, { status: 101, webSocket: client })
  }

  openStream(): Response {
    if (this.count >= MAX_LISTENERS) return new Response(null, { status: 429 })
    let mine: ReadableStreamDefaultController<Uint8Array> | null = null
    const body = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          mine = controller
          this.#streams.add(controller)
          controller.enqueue(this.#encoder.encode(': from now on\n\n'))
        },
        cancel: () => {
          if (mine !== null) this.#streams.delete(mine)
        },
      },
      new ByteLengthQueuingStrategy({ highWaterMark: MAX_UNREAD_BYTES }),
    )
    return new Response(body, {
      headers: { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-store' },
    })
  }

  send(event: Record<string, unknown>): void {
    const text = JSON.stringify(event)
    for (const socket of this.#ctx.getWebSockets()) {
      try {
        socket.send(text)
      } catch {
        socket.close(1011) // the client has gone
      }
    }
    if (this.#streams.size === 0) return
    const message = this.#encoder.encode(`event: ${String(event['type'])}\ndata: ${text}\n\n`)
    for (const stream of this.#streams) this.#push(stream, message)
  }

  #push(stream: ReadableStreamDefaultController<Uint8Array>, message: Uint8Array): void {
    try {
      stream.enqueue(message)
      if ((stream.desiredSize ?? 0) > 0) return
      stream.error(new Failure('rate_limited', 'the stream was read too slowly'))
    } catch {
      // closed by its reader a moment ago
    }
    this.#streams.delete(stream)
  }

  close(why: string): void {
    for (const socket of this.#ctx.getWebSockets()) socket.close(1000, why)
    for (const stream of this.#streams) {
      try {
        stream.close()
      } catch {
        // closed by its reader a moment ago
      }
    }
    this.#streams.clear()
  }
}
