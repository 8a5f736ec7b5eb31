import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'

const root = join(import.meta.dirname, '../..')

export interface Running {
  base: string
  /** Kills the whole process group at once, like a power failure. A second call does nothing. */
  kill: () => Promise<void>
  /** All that its processes have written to their outputs. */
  said: () => string
  /** Group of its processes. */
  group: number
}

export interface RunOptions {
  persist: string
  port: number
  vars: Record<string, string>
  /** Folder for the logs of wrangler itself; absent: its own. */
  logs?: string
  /** Entry of another bundle, below the project's folder; absent: the shipped Worker. */
  main?: string
  /** Constants that the bundle is built with, as expressions. */
  defines?: Record<string, string>
  /** Longest time until it answers; absent: 30 s. */
  readyMs?: number
}

export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise<void>((resolve) => server.close(() => resolve()))
  if (address === null || typeof address === 'string') throw new Error('no port was given')
  return address.port
}

/** Starts the production bundle in the local runtime, in separate processes. */
export async function runWorker(options: RunOptions): Promise<Running> {
  const { persist, port, vars, logs, main, defines = {}, readyMs = 30_000 } = options
  const args = [
    'dev',
    ...(main === undefined ? [] : [main]),
    '--local',
    '--port',
    String(port),
    '--inspector-port',
    '0',
    '--persist-to',
    persist,
  ]
  args.push('--show-interactive-dev-session=false', '--log-level', 'warn')
  for (const [name, value] of Object.entries(vars)) args.push('--var', `${name}:${value}`)
  for (const [name, value] of Object.entries(defines)) args.push('--define', `${name}:${value}`)
  const child = spawn(process.execPath, [join(root, 'node_modules/wrangler/bin/wrangler.js'), ...args], {
    cwd: root,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...process.env,
      WRANGLER_SEND_METRICS: 'false',
      CLOUDFLARE_CF_FETCH_ENABLED: 'false',
      X_LOCAL_OBSERVABILITY: 'false',
      WRANGLER_REGISTRY_PATH: join(persist, 'registry'),
      NO_COLOR: '1',
      ...(logs === undefined ? {} : { WRANGLER_LOG_PATH: logs }),
    },
  })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk: Buffer) => (said += chunk.toString()))
  const base = `http://127.0.0.1:${port}`
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  const kill = async (): Promise<void> => {
    killGroup(child)
    await gone
  }
  for (const until = performance.now() + readyMs; performance.now() < until;) {
    if (child.exitCode !== null) throw new Error(`the Worker did not start:\n${said.slice(-4_000)}`)
    try {
      if ((await fetch(`${base}/health`)).ok) return { base, kill, said: () => said, group: child.pid ?? 0 }
    } catch {
      // not listening yet
    }
    await pause(100)
  }
  await kill()
  throw new Error(`the Worker was not ready in ${readyMs / 1_000} s:\n${said.slice(-4_000)}`)
}

function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return
  try {
    process.kill(-child.pid, 'SIGKILL')
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code !== 'ESRCH') throw thrown
  }
}

/** Returns a client with the development account's key. `headers` are sent with each request. */
export function caller(base: string, key = 'pilotlight-dev', headers: Record<string, string> = {}) {
  return async <Body>(method: string, path: string, body?: unknown): Promise<{ status: number; body: Body }> => {
    const response = await fetch(base + path, {
      method,
      headers: {
        ...headers,
        authorization: `Bearer ${key}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    })
    return { status: response.status, body: (await response.json()) as Body }
  }
}
