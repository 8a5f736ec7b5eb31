import { join } from 'node:path'
import { unstable_startWorker } from 'wrangler'

/** The lab's Worker in workerd behind a real socket. `stop` ends the runtime; what `persist` names stays. */
export type RunningLab = { url: string; stop: () => Promise<void> }

export type RunOptions = {
  /** Directory for its state; without one nothing outlives it. */
  persist?: string
  /** `LAB_LATENCY`, `CLOCK_RATE` and so on. */
  vars?: Record<string, string>
}

export async function runLab({ persist, vars = {} }: RunOptions = {}): Promise<RunningLab> {
  process.env['CLOUDFLARE_CF_FETCH_ENABLED'] = 'false' // nothing is asked of the network
  process.env['WRANGLER_SEND_METRICS'] = 'false'
  const worker = await unstable_startWorker({
    config: join(import.meta.dirname, 'wrangler.toml'),
    bindings: Object.fromEntries(
      Object.entries(vars).map(([name, value]) => [name, { type: 'plain_text' as const, value }]),
    ),
    dev: {
      server: { hostname: '127.0.0.1', port: 0 },
      inspector: false,
      watch: false,
      logLevel: 'error',
      persist: persist ?? false,
    },
  })
  const url = String(await worker.url).replace(/\/$/, '')
  return { url, stop: () => worker.dispose() }
}
