/** Ticks the Worker's cron: the local runtime does not do so by itself. */
import { setTimeout as pause } from 'node:timers/promises'
import { MINUTE_MS } from '../../src/core/time/time.ts'

export interface CronOptions {
  base: string
  now: () => number
  rate: number
  signal: AbortSignal
}

/** Milliseconds of real time until the next whole minute of a clock that runs at a rate. */
export function untilMinute(now: number, rate: number): number {
  return (MINUTE_MS - (now % MINUTE_MS)) / rate
}

export class Cron {
  /** Ticks that the Worker took. */
  ticks = 0
  /** Ticks that it did not answer, or failed: the registries' alarms make up for them. */
  missed = 0
  readonly #options: CronOptions

  constructor(options: CronOptions) {
    this.#options = options
  }

  /** Ticks at every whole virtual minute until the signal; one that takes longer than a minute leaves out the next, as cron may. */
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
    return false // counted, and shown in the table: the Worker restarts whenever a source file is saved
  }
}
