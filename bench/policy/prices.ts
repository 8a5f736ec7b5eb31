import type { Holding } from '../../src/core/planning/probe-policy.ts'
import { MINUTE_MS } from '../../src/core/time/time.ts'

/** A price row in units of base input price × prefix tokens. A probe has 0.2 % of the prefix on top of its read. */
export interface PriceRow {
  read: number
  holdings: Holding[]
  /** Best fixed rule of each retention: the least excess on the open traces at these prices (latency value 0). The best of all first. */
  bestFixed: { name: string; probes: number }[]
}

const sliding = (name: string, minutes: number, everyMinutes: number, write: number, read: number): Holding => ({
  name,
  ttlMs: minutes * MINUTE_MS,
  everyMs: everyMinutes * MINUTE_MS,
  write,
  read,
  probe: read + 0.002,
})
const anthropic = (read: number, hour: number, five: number): PriceRow => ({
  read,
  bestFixed: [
    { name: '1h', probes: hour },
    { name: '5m', probes: five },
  ],
  holdings: [sliding('5m', 5, 4.5, 1.25, read), sliding('1h', 60, 55, 2, read)],
})

export const priceRows: Record<string, PriceRow> = {
  anthropic: anthropic(0.1, 6, 4),
  'opus-5.5': anthropic(0.05, 29, 11),
  'fable-5.1': anthropic(0.025, 109, 19),
  'gpt-5.6': {
    read: 0.1,
    holdings: [sliding('30m', 30, 27.5, 1.25, 0.1)],
    bestFixed: [{ name: '30m', probes: 3 }],
  },
  'gpt-5': { read: 0.1, holdings: [sliding('5m', 5, 4.5, 1, 0.1)], bestFixed: [{ name: '5m', probes: 4 }] },
  'gpt-4o': { read: 0.5, holdings: [sliding('5m', 5, 4.5, 1, 0.5)], bestFixed: [{ name: '5m', probes: 0 }] },
  // A managed cache is billed by time: a "probe" is one more minute of it.
  'gemini-3.1-pro': {
    read: 0.1,
    holdings: [{ name: 'handle', ttlMs: 60_000, everyMs: 60_000, write: 1, read: 0.1, probe: 2.25 / 60 }],
    bestFixed: [{ name: 'handle', probes: 11 }],
  },
}
