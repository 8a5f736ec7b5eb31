/**
 * The one clock. In production it is the machine's. With the lab it may run faster: virtual = anchor + rate × real, the
 * anchor shared with the lab. Everything the product calls an instant or a duration is in this clock; only what is
 * handed to the platform (alarms, queue delays, timers) is converted.
 */
export interface Clock {
  now(): number
  rate: number
  /** A duration of this clock, in real milliseconds. */
  realMs(durationMs: number): number
  /** An instant of this clock, on the machine's. */
  realAt(at: number): number
  sleep(durationMs: number): Promise<void>
  /** How coarse queue delays (whole real seconds) are in this clock. */
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
    throw new Error('CLOCK_RATE must be a number of at least 1, and both anchors epoch milliseconds')
  return {
    rate,
    grainMs: 1_000 * rate,
    now: () => Math.floor(virtualAnchor + rate * (Date.now() - realAnchor)),
    realMs: (durationMs) => durationMs / rate,
    realAt: (at) => realAnchor + (at - virtualAnchor) / rate,
    sleep: (durationMs) => new Promise((resolve) => setTimeout(resolve, durationMs / rate)),
  }
}
