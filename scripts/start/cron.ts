/** Calls the Worker's cron handler, which the local runtime does not do by itself. */
import { setTimeout as pause } from 'node:timers/promises'
import { MINUTE_MS } from '../../src/core/time/time.ts'

export interface CronOptions {
  base: string
  now: () => number
  rate: number
  signal: AbortSignal
}

/** Returns the real milliseconds until the next whole minute of a clock with a rate. */
export function untilMinute(now: number, rate: number): number {
  return (MINUTE_MS - (now % MINUTE_MS)) / rate
}

export class Cron {
  /** Number of ticks that the Worker answered. */
  ticks = 0
  /** Number of ticks that failed or had no answer. The registries' alarms do their work. */
  missed = 0
  readonly #options: CronOptions

  constructor(options: CronOptions) {
    this.#options = options
  }

  /** Ticks at each whole virtual minute until the signal. After a tick that takes over a minute the next is skipped, as cron may do. */
  async run(): Promise<void> {
    const { base, now, rate, signal } = this.#options
    while (!signal.aborted) {
      await pause(untilMinute(now(), rate), undefined, { signal })
      const time = Math.round(now() / MINUTE_MS) * MINUTE_MS
      if (await tick(`${base}/cdn-cgi/local/scheduled?cron=*+*+*+*+*&time=${time}&format=json`, signal)) this.ticks++
      else this.missed++
    }
  }
}

async function tick(url: string, signal: AbortSignal): Promise<boolean> {
  try {
    const answer = await fetch(url, { signal })
    const { outcome } = (await answer.json()) as { outcome?: string }
    return answer.ok && outcome === 'ok'
  } catch (error) {
    if (signal.aborted) throw error
    return false // no error: the Worker restarts whenever a source file is saved; the table shows the count
  }
}
