import type { Clock } from '../../runtime/clock.ts'
import { MINUTE_MS } from '../../core/time/time.ts'

/** One server-sent event. A caller who reconnects sends its last `id`. */
export interface StreamEvent {
  event: string
  id: number | null
  data: unknown
}

/** Longest stream, in real time. A reader who wants more reconnects. */
const LONGEST_MS = 15 * MINUTE_MS

/** Streams the events of a generator; null: a comment that keeps the connection open. A reader who leaves ends the generator. */
export function eventStream(events: AsyncGenerator<StreamEvent | null>, clock: Clock): Response {
  const encoder = new TextEncoder()
  const until = clock.now() + LONGEST_MS * clock.rate
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const next = clock.now() < until ? await events.next() : { done: true as const, value: undefined }
      if (next.done === true) controller.close()
      else controller.enqueue(encoder.encode(next.value === null ? ': waiting\n\n' : eventText(next.value)))
    },
    async cancel() {
      await events.return(undefined)
    },
  })
  return new Response(body, { headers: { 'content-type': 'text/event-stream', 'cache-control': 'no-store' } })
}

function eventText({ event, id, data }: StreamEvent): string {
  return `event: ${event}\n${id === null ? '' : `id: ${id}\n`}data: ${JSON.stringify(data)}\n\n`
}
