import type { Figure } from './figure.ts'
import { quantile, say } from './figure.ts'
import { rawWorkerd } from '../test/support/raw-workerd.ts'
import { caller, provider } from '../test/support/wire.ts'
import type { Arrived, Caller, Provider } from '../test/support/wire.ts'

const ROUNDS = 60
const AIM_MS = 250
const KEY = 'pilotlight-dev'

/** A way to leave. `everyMs`: how often the provider sends something; 0: it has sent its first bytes and is silent; null: it has sent nothing. */
interface Leaving {
  name: string
  everyMs: number | null
  leave: (client: Caller) => void
}

const reset = ({ socket }: Caller): void => void socket.resetAndDestroy()
const closed = ({ socket }: Caller): void => void socket.destroy()

const WAYS: readonly Leaving[] = [
  { name: 'a reset before the headers', everyMs: null, leave: reset },
  { name: 'a reset in a silence', everyMs: 0, leave: reset },
  { name: 'a reset in a stream', everyMs: 50, leave: reset },
  { name: 'a closed connection in a stream', everyMs: 50, leave: closed },
]

/** Calls that are observed have work of ours open (`waitUntil`) when their caller leaves. */
const KINDS = [
  { kind: 'passes', headers: [] },
  { kind: 'is observed', headers: ['Content-Type: application/json'] },
]

/** How long after its caller left a provider sees its call end: the production bundle in workerd, one call after another. */
export async function gatewayLeaving(): Promise<{ figures: Figure[]; notes: string[] }> {
  let everyMs: number | null = null
  const upstream = await provider(({ socket }) => {
    if (everyMs === null) return
    socket.write('HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\ndata: first\n\n')
    if (everyMs === 0) return
    const timer = setInterval(() => socket.write('data: more\n\n'), everyMs)
    socket.once('close', () => clearInterval(timer))
  })
  const worker = await rawWorkerd({
    ENVIRONMENT: 'development',
    ADMIN_KEY: 'pilotlight-admin',
    DEV_ACCOUNT_KEY: KEY,
    VLLM_BASE_URL: `${upstream.url}/v1`,
  })
  const figures: Figure[] = []
  let late = 0
  try {
    for (const way of WAYS) {
      for (const { kind, headers } of KINDS) {
        say(`${way.name}, of a call that ${kind}`)
        everyMs = way.everyMs
        const took: number[] = []
        // The first call of each kind warms up.
        for (let round = 0; round <= ROUNDS; round++) {
          const ms = await endedAfterMs(worker.base, upstream, way, headers)
          if (round > 0) took.push(ms)
        }
        late += took.filter((ms) => ms > AIM_MS).length
        const of = (share: number): string => quantile(took, share).toFixed(1)
        figures.push({
          name: `the provider's call ends after ${way.name}, where it ${kind}`,
          value: Math.max(...took),
          unit: 'ms',
          aim: `≤ ${AIM_MS} ms`,
          how: `the longest of ${ROUNDS}; median ${of(0.5)}, p95 ${of(0.95)}`,
        })
      }
    }
  } finally {
    await worker.stop()
    await upstream.close()
  }
  const total = figures.length * ROUNDS
  figures.push({
    name: 'calls that ended within the aim',
    value: (100 * (total - late)) / total,
    unit: '%',
    how: `${total - late} of ${total}`,
  })
  return {
    figures,
    notes: [
      'From the moment in which the caller leaves to the end of the connection at the provider, all on this machine: the network is not in it.',
      'Other work on the machine makes them longer. A connection that is merely closed in a silence is noticed at the next bytes, and is not among them.',
      'In workerd alone; on Cloudflare they are yet to be measured.',
    ],
  }
}

async function endedAfterMs(
  base: string,
  upstream: Provider,
  { everyMs, leave }: Leaving,
  headers: readonly string[],
): Promise<number> {
  upstream.calls.length = 0
  const head = [
    'POST /via/vllm/v1/chat/completions HTTP/1.1',
    'Host: pilotlight.test',
    'Content-Length: 2',
    `X-Pilotlight-Key: ${KEY}`,
    'Authorization: Bearer sk-own',
    ...headers,
  ]
  const client = caller(base, `${head.join('\r\n')}\r\n\r\n{}`)
  await until(() => upstream.calls.length === 1 && (everyMs === null || client.bytes().includes('data: first')))
  const [call] = upstream.calls as [Arrived]
  const since = performance.now()
  leave(client)
  await until(() => call.endedAt() !== null)
  return (call.endedAt() ?? Number.NaN) - since
}

async function until(condition: () => boolean): Promise<void> {
  const end = performance.now() + 30_000
  while (!condition()) {
    if (performance.now() > end) throw new Error('nothing happened for 30 seconds')
    await new Promise((resolve) => setImmediate(resolve))
  }
}
