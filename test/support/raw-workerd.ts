/** The production bundle in workerd alone, without the proxy that `wrangler dev` puts in front: it treats callers who leave otherwise. */
import { spawn, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { freePort } from '../e2e/running.ts'

const root = join(import.meta.dirname, '../..')
const OBJECTS = ['Directory', 'Registry', 'Egress', 'Bot']
const STARTS_WITHIN_MS = 60_000

export interface RawWorkerd {
  base: string
  /** Everything that the runtime printed. */
  said: () => string
  stop: () => Promise<void>
}

/**
 * Starts the Worker with these variables. Messages to its queues are sent to `queues` by POST, or nowhere. `around`: a module that exports what the
 * Worker exports, which it imports from `./worker.js`.
 */
export async function rawWorkerd(vars: Record<string, string>, queues?: string, around?: string): Promise<RawWorkerd> {
  const folder = mkdtempSync(join(tmpdir(), 'pilotlight-raw-'))
  bundle(folder)
  mkdirSync(join(folder, 'state'))
  const port = await freePort()
  if (around !== undefined) writeFileSync(join(folder, 'bundle/around.js'), around)
  writeFileSync(join(folder, 'config.capnp'), configOf(folder, port, vars, queues))
  const workerd = join(dirname(createRequire(import.meta.url).resolve('workerd/package.json')), 'bin/workerd')
  const child = spawn(process.execPath, [workerd, 'serve', 'config.capnp', '--experimental'], {
    cwd: folder,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (said += chunk.toString()))
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  const stop = async (): Promise<void> => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
    } catch {
      // It is gone already.
    }
    await gone
    rmSync(folder, { recursive: true, force: true })
  }
  const base = `http://127.0.0.1:${port}`
  const until = performance.now() + STARTS_WITHIN_MS
  while (performance.now() < until && child.exitCode === null) {
    try {
      await fetch(`${base}/health`)
      return { base, said: () => said, stop }
    } catch {
      await pause(50) // not listening yet
    }
  }
  await stop()
  throw new Error(`workerd did not start:\n${said}`)
}

function bundle(folder: string): void {
  const wrangler = join(root, 'node_modules/wrangler/bin/wrangler.js')
  const args = [wrangler, 'deploy', '--dry-run', '--outdir', join(folder, 'bundle')]
  const env = { ...process.env, WRANGLER_SEND_METRICS: 'false', NO_COLOR: '1' }
  const { status, stderr } = spawnSync(process.execPath, args, { cwd: root, env, encoding: 'utf8' })
  if (status !== 0) throw new Error(`the bundle failed:\n${stderr}`)
}

function configOf(folder: string, port: number, vars: Record<string, string>, queues?: string): string {
  const taken =
    queues === undefined ? 'new Response()' : `fetch('${queues}', { method: 'POST', body: event.request.body })`
  const files = readdirSync(join(folder, 'bundle'))
  const texts = files.filter((name) => name.endsWith('.html'))
  const modules = [
    ...['around.js', 'worker.js']
      .filter((name) => files.includes(name))
      .map((name) => `(name = "${name}", esModule = embed "bundle/${name}")`),
    ...texts.map((name) => `(name = "${name}", text = embed "bundle/${name}")`),
  ]
  const bindings = [
    ...OBJECTS.map((name) => `(name = "${name.toUpperCase()}", durableObjectNamespace = "${name}")`),
    '(name = "PROBES", queue = "queue")',
    '(name = "OBSERVATIONS", queue = "queue")',
    ...Object.entries(vars).map(([name, value]) => `(name = "${name}", text = ${JSON.stringify(value)})`),
  ]
  const objects = OBJECTS.map((name) => `(className = "${name}", uniqueKey = "${name}", enableSql = true)`)
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = .main),
    (name = "queue", worker = .queue),
    (name = "state", disk = (path = "state", writable = true)),
    (name = "internet", network = (allow = ["public", "private", "local"])),
  ],
  sockets = [(name = "http", address = "127.0.0.1:${port}", http = (), service = "main")],
);
const main :Workerd.Worker = (
  modules = [${modules.join(', ')}],
  compatibilityDate = "2026-10-20",
  compatibilityFlags = ["enable_request_signal"],
  bindings = [${bindings.join(', ')}],
  durableObjectNamespaces = [${objects.join(', ')}],
  durableObjectStorage = (localDisk = "state"),
);
const queue :Workerd.Worker = (
  serviceWorkerScript = "addEventListener('fetch', (event) => event.respondWith(${taken}))",
  compatibilityDate = "2026-10-20",
);
`
}
