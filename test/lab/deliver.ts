import type { LabClock } from './clock.ts'
import type { Answer } from './dialect.ts'
import type { Fault, FaultKind } from './faults.ts'
import { retold, retoldFrame } from './usage-faults.ts'

const encoder = new TextEncoder()
/** Between two parts of a stream that drips. */
const DRIP_MS = 100

function has(faults: readonly Fault[], kind: FaultKind): Fault | undefined {
  return faults.find((fault) => fault.kind === kind)
}

export function jsonResponse(status: number, body: unknown, headers: Record<string, string> = {}): Response {
  return new Response(JSON.stringify(body), { status, headers: { 'content-type': 'application/json', ...headers } })
}

/** A page from something in front of the provider instead of the provider's answer. */
export function htmlPage(fault: Fault): Response {
  const page =
    '<!DOCTYPE html>\n<html><head><title>502 Bad Gateway</title></head><body><h1>Bad gateway</h1></body></html>\n'
  return new Response(page, { status: fault.status ?? 502, headers: { 'content-type': 'text/html; charset=UTF-8' } })
}

/** Sends an answer at its times, with whatever breakage is in force. `finished` is called when the last byte has gone, `left` when the client has. */
export async function deliver(
  answer: Answer,
  faults: readonly Fault[],
  clock: LabClock,
  streamError: () => string,
  finished: () => void,
  left: () => void = finished,
): Promise<Response> {
  const headers = answer.headers
  if (answer.frames !== undefined) return deliverStream(answer, faults, clock, streamError, finished, left)
  await clock.sleep(answer.endsAt - clock.now())
  const text = JSON.stringify(retold(answer.json, faults))
  finished()
  if (has(faults, 'malformed')) return new Response(`${text.slice(0, -2)},,`, { status: 200, headers })
  // A whole answer as HTTP goes: something on the way cut the text and closed it properly.
  if (has(faults, 'truncated'))
    return new Response(text.slice(0, Math.floor(text.length / 2)), { status: 200, headers })
  return new Response(text, { status: 200, headers })
}

async function deliverStream(
  answer: Answer,
  faults: readonly Fault[],
  clock: LabClock,
  streamError: () => string,
  finished: () => void,
  left: () => void = finished,
): Promise<Response> {
  const frames = answer.frames ?? []
  const texts = frames.map((frame) => frame.text)
  const half = Math.ceil(frames.length / 2)
  await clock.sleep(answer.begunAt - clock.now())
  let next = 0
  let leave: () => void = () => {}
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const frame = frames[next]
      if (frame === undefined) {
        finished()
        controller.close()
        return
      }
      if (next === half && has(faults, 'truncated')) {
        finished()
        controller.enqueue(encoder.encode(frame.text.slice(0, Math.floor(frame.text.length / 2))))
        controller.close()
        return
      }
      if (next === half && has(faults, 'stream_error')) {
        finished()
        controller.enqueue(encoder.encode(streamError()))
        controller.close()
        return
      }
      // Half of it, and then nothing until the client leaves.
      if (next === half && has(faults, 'stalls')) return new Promise((resolve) => (leave = resolve))
      const drips = has(faults, 'drips')
      if (drips !== undefined && next >= half) await clock.sleep(drips.delay_ms ?? DRIP_MS)
      await clock.sleep(answer.begunAt + frame.afterMs - clock.now())
      let text = retoldFrame(texts[next] ?? '', faults)
      if (next === half && has(faults, 'malformed')) text = `${text.slice(0, Math.floor(text.length / 2))}\n\n`
      controller.enqueue(encoder.encode(text))
      next += 1
    },
    cancel: () => {
      leave()
      left()
    },
  })
  const headers = {
    ...answer.headers,
    'content-type': answer.streamType ?? 'text/event-stream; charset=utf-8',
    'cache-control': 'no-cache',
  }
  return new Response(body, { status: 200, headers })
}
