import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Server } from 'node:http'
import { connect, observe } from '../src/client/index.ts'
import { say } from './figure.ts'
import type { Figure } from './figure.ts'

const ROUNDS = 60
const CHUNKS = 100
/** Time between two events: 250 a second, more than a model writes. */
const PACE_MS = 4
/** Time before the first event: less than any model needs. */
const FIRST_MS = 50
/** Latency of the deployment that gets the reports: it must not delay the observed requests. */
const REPORT_MS = 200

/** Measures the overhead of an observing fetch for a streamed answer, in turns with the same fetch alone. */
export async function observing(): Promise<{ figures: Figure[]; notes: string[] }> {
  say(`observe: ${ROUNDS} streams of ${CHUNKS} events with and without …`)
  const provider = await served((_, answer) => {
    answer.writeHead(200, { 'content-type': 'text/event-stream' })
    let n = 0
    const next = (): void => {
      if (n === CHUNKS) {
        answer.end('data: {"type":"message_delta","usage":{"output_tokens":100}}\n\n')
        return
      }
      answer.write(`data: {"type":"content_block_delta","delta":{"text":"word ${n} "}}\n\n`)
      n += 1
      setTimeout(next, PACE_MS)
    }
    setTimeout(next, FIRST_MS)
  })
  let reports = 0
  const deployment = await served((request, answer) => {
    request.resume()
    request.on('end', () => {
      reports += 1
      setTimeout(() => answer.end('{"data":[],"next_cursor":null}'), REPORT_MS)
    })
  })
  const body = JSON.stringify({ model: 'm', system: 'x'.repeat(100_000), messages: [] })
  const watched = observe(connect({ baseUrl: deployment.url, key: 'bench' }), globalThis.fetch, {
    provider: 'anthropic',
  })
  const timed = async (fetch: typeof globalThis.fetch): Promise<{ first: number; whole: number }> => {
    const startedAt = performance.now()
    const answer = await fetch(provider.url, { method: 'POST', body })
    let first = 0
    for await (const _ of answer.body ?? []) if (first === 0) first = performance.now() - startedAt
    return { first, whole: performance.now() - startedAt }
  }
  const plain: { first: number; whole: number }[] = []
  const seen: { first: number; whole: number }[] = []
  for (let round = 0; round < ROUNDS; round++) {
    // The two run in turns, so that other load of the machine affects both.
    plain.push(await timed(globalThis.fetch))
    seen.push(await timed(watched as typeof globalThis.fetch))
  }
  await watched.flush()
  await Promise.all([provider.close(), deployment.close()])
  const ratio = (name: 'first' | 'whole', at: number): number =>
    Number((quantile(seen, name, at) / quantile(plain, name, at)).toFixed(3))
  const how = `${ROUNDS} streams each, in turns; reports go to a server that takes ${REPORT_MS} ms`
  const figures: Figure[] = [
    { name: 'first event, median', value: ratio('first', 0.5), unit: '× without', how },
    { name: 'first event, p95', value: ratio('first', 0.95), unit: '× without', how },
    { name: 'whole answer, median', value: ratio('whole', 0.5), unit: '× without', how },
    { name: 'whole answer, p95', value: ratio('whole', 0.95), unit: '× without', how },
    { name: 'reports', value: reports, unit: 'calls', how: `for ${ROUNDS} observed requests` },
  ]
  return {
    figures,
    notes: [
      `Each answer is ${CHUNKS} events, ${PACE_MS} ms apart, the first after ${FIRST_MS} ms, over a local socket: faster than models are.`,
    ],
  }
}

function quantile(times: { first: number; whole: number }[], name: 'first' | 'whole', at: number): number {
  const sorted = times.map((one) => one[name]).toSorted((a, b) => a - b)
  return sorted[Math.floor((sorted.length - 1) * at)] ?? Number.NaN
}

async function served(
  listener: Parameters<typeof createServer>[1],
): Promise<{ url: string; close: () => Promise<void> }> {
  const server: Server = createServer(listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
