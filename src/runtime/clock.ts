/**
 * The product's clock. In production it is the machine's. With the lab it may run faster: virtual = anchor + rate × real, with
 * the anchor of the lab. Every instant and duration of the product is in this clock. Only values for the platform (alarms, queue
 * delays, timers) are converted to real time.
 */
export interface Clock {
  now(): number
  rate: number
  /** Converts a duration of this clock to real milliseconds. */
  realMs(durationMs: number): number
  /** Converts an instant of this clock to one of the machine's. */
  realAt(at: number): number
  sleep(durationMs: number): Promise<void>
  /** Step of queue delays (one real second) in this clock. */
  grainMs: number
}

export interface ClockVars {
  CLOCK_REAL_ANCHOR_AT?: string
  CLOCK_VIRTUAL_ANCHOR_AT?: string
  CLOCK_RATE?: string
}

export function clockFrom(vars: ClockVars): Clock {
  const rate = Number(vars.CLOCK_RATE ?? '1')
  const realAnchor = Number(vars.CLOCK_REAL_ANCHOR_AT ?? '0')
  const virtualAnchor = Number(vars.CLOCK_VIRTUAL_ANCHOR_AT ?? '0')
  if (!(rate >= 1) || !Number.isFinite(rate + realAnchor + virtualAnchor))
    throw new Error('CLOCK_RATE must be a number of at least 1; both anchors must be epoch milliseconds')
  return {
    rate,
    grainMs: 1_000 * rate,
    now: () => Math.floor(virtualAnchor + rate * (Date.now() - realAnchor)),
    realMs: (durationMs) => durationMs / rate,
    realAt: (at) => realAnchor + (at - virtualAnchor) / rate,
    sleep: (durationMs) => new Promise((resolve) => setTimeout(resolve, durationMs / rate)),
  }
}
