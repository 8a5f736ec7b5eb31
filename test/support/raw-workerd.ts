/** The production bundle in workerd alone, without the proxy that `wrangler dev` puts in front: it treats callers who leave otherwise. */
import { spawn, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { freePort } from '../e2e/running.ts'

const { default: workerd } = createRequire(import.meta.url)('workerd') as { default: string }
const root = join(import.meta.dirname, '../..')
const OBJECTS = ['Directory', 'Registry', 'Egress', 'Bot']
const STARTS_WITHIN_MS = 60_000

export interface RawWorkerd {
  base: string
  /** Everything that the runtime printed. */
  said: () => string
  /** Number of its process. */
  pid: number
  stop: () => Promise<void>
}

/** Where messages to its queues go: by POST to an address; `consumed`: those of observations to the Worker itself; null: nowhere. */
type Queues = string | null

/**
 * Starts the Worker with these variables. `around`: a module that exports what the Worker exports, which it imports from
 * `./worker.js`.
 */
export function rawWorkerd(
  vars: Record<string, string>,
  queues: Queues = null,
  around: string | null = null,
): Promise<RawWorkerd> {
  return served('/health', (folder, port) => {
    bundle(folder)
    mkdirSync(join(folder, 'state'))
    if (around !== null) writeFileSync(join(folder, 'bundle/around.js'), around)
    return configOf(folder, port, vars, queues)
  })
}

/** Starts workerd with a configuration of which the files are in a folder. `ready`: a path that answers. */
export async function served(ready: string, config: (folder: string, port: number) => string): Promise<RawWorkerd> {
  const folder = mkdtempSync(join(tmpdir(), 'pilotlight-raw-'))
  const port = await freePort()
  writeFileSync(join(folder, 'config.capnp'), config(folder, port))
  const child = spawn(workerd, ['serve', 'config.capnp', '--experimental'], {
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
      await fetch(base + ready)
      return { base, said: () => said, pid: child.pid ?? 0, stop }
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

/** Hands a message to the Worker at once, as a batch of its own. */
const CONSUMED = `
  const body = await request.json()
  await env.MAIN.queue('pilotlight-observations', [{ id: crypto.randomUUID(), timestamp: new Date(), attempts: 1, body }])
  return new Response()
`

function configOf(folder: string, port: number, vars: Record<string, string>, queues: Queues): string {
  const taken =
    {
      null: 'return new Response()',
      consumed: CONSUMED,
    }[String(queues)] ?? `return fetch('${queues}', { method: 'POST', body: request.body })`
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
  modules = [(name = "queue.js", esModule = ${JSON.stringify(`export default { async fetch(request, env) { ${taken} } }`)})],
  compatibilityDate = "2026-10-20",
  compatibilityFlags = ["service_binding_extra_handlers"],
  bindings = [(name = "MAIN", service = "main")],
);
`
}
