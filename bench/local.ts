import { resolve } from 'node:path'
import { unstable_startWorker } from 'wrangler'

const root = resolve(import.meta.dirname, '..')

export interface Local {
  url: string
  /** Time from the start of the process to the first answer. */
  readyMs: number
  stop: () => Promise<void>
}

/** Runs a Worker of this repository in workerd behind a real socket. Its tables are deleted when it stops. */
export async function startLocal(config: string, vars: Record<string, string>, path: string): Promise<Local> {
  process.env['CLOUDFLARE_CF_FETCH_ENABLED'] = 'false' // otherwise it fetches a sample `cf` object
  process.env['WRANGLER_SEND_METRICS'] = 'false'
  process.env['WRANGLER_LOG'] = 'error' // `logLevel` alone leaves a line for each request on stdout
  const from = performance.now()
  const worker = await unstable_startWorker({
    config: resolve(root, config),
    bindings: Object.fromEntries(
      Object.entries(vars).map(([name, value]) => [name, { type: 'plain_text' as const, value }]),
    ),
    dev: {
      server: { hostname: '127.0.0.1', port: 0 },
      inspector: false,
      watch: false,
      logLevel: 'error',
      persist: false,
    },
  })
  const url = String(await worker.url).replace(/\/$/, '')
  await (await fetch(url + path)).text()
  return { url, readyMs: performance.now() - from, stop: () => worker.dispose() }
}
