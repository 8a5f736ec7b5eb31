import type { Figure } from './figure.ts'
import { PRICES } from './prices.ts'
import { MOST_SEEN, WINDOW_MS } from '../src/gateway/window.ts'

/** How calls arrive, and what one of them takes. */
export interface Load {
  perSecond: number
  /** Isolates of the Worker among which the calls are spread. */
  isolates: number
  /** CPU of one call, in milliseconds. */
  cpuMs: number
}

/** Operations on a message: a write, a read and a delete, each of 64 kB. A full message has two such parts. */
const OPERATIONS = 3
const PARTS = 2
/** Batches of the consumer: one a second at the least interval that wrangler.toml gives, or a hundred messages. */
const MOST_MESSAGES = 100
/** Rows that one write of a batch reads and writes at most, as an allowance. */
const ROWS = 20

export const LOADS: Load[] = [
  { perSecond: 1, isolates: 1, cpuMs: 4 },
  { perSecond: 100, isolates: 20, cpuMs: 4 },
  { perSecond: 10_000, isolates: 1_000, cpuMs: 4 },
]

/** What a million calls through the gateway cost at Cloudflare, in dollars, beyond what the plan includes. */
export function millionCalls({ perSecond, isolates, cpuMs }: Load): Record<string, number> {
  const seconds = 1e6 / perSecond
  // A window ends when it is full, and after five seconds; it opens with a call.
  const messages = Math.min(
    1e6,
    Math.max(1e6 / MOST_SEEN, Math.min(isolates, perSecond * 5) * (seconds / (WINDOW_MS / 1e3))),
  )
  const batches = Math.min(messages, Math.max(seconds, messages / MOST_MESSAGES))
  return {
    requests: 1e6 * PRICES.workerRequest,
    cpu: 1e6 * cpuMs * PRICES.workerCpuMs,
    queue: messages * OPERATIONS * PARTS * PRICES.queueOperation,
    consumer: batches * PRICES.workerRequest,
    objects: batches * (PRICES.objectRequest + ROWS * (PRICES.rowWritten + PRICES.rowRead)),
  }
}

export async function gatewayCost(): Promise<{ figures: Figure[]; notes: string[] }> {
  const figures = LOADS.map((load) => {
    const parts = millionCalls(load)
    return {
      name: `a million calls at ${load.perSecond.toLocaleString('en-US')} a second in ${load.isolates.toLocaleString('en-US')} isolates`,
      value: Object.values(parts).reduce((sum, part) => sum + part, 0),
      unit: '$',
      how: Object.entries(parts)
        .map(([what, cost]) => `${what} ${cost.toFixed(3)}`)
        .join(', '),
    }
  })
  return {
    figures,
    notes: [
      "Computed from Cloudflare's list prices of 2026-11-21 beyond what the plan includes; nothing is sent and nothing measured.",
      'Assumed: 4 ms of CPU a call, messages of two parts of 64 kB, 20 rows for each batch that the account books.',
      'Not in the sum: the time that the account is in memory, which probes and reports need too, and keys that are verified every 30 seconds.',
    ],
  }
}
