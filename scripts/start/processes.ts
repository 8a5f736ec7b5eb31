/** The runtimes as child processes: one group each, a log file each, all gone when the starter is. */
import { spawn, type ChildProcess } from 'node:child_process'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { quietTools, root } from '../step.ts'

export interface Runtime {
  name: string
  pid: number
  log: string
  /** Settles with a sentence when the process ends. */
  ended: Promise<string>
  process: ChildProcess
}

export interface Launch {
  name: string
  config: string
  port: number
  persistTo: string
  log: string
  vars: Record<string, string>
  extra?: string[]
}

/** Starts one Worker with `wrangler dev`. */
export function launch({ name, config, port, persistTo, log, vars, extra = [] }: Launch): Runtime {
  const out = openSync(log, 'w')
  const args = ['dev', '--local', '--config', config, '--port', String(port), '--inspector-port', '0', '--persist-to', persistTo]
  args.push('--show-interactive-dev-session=false', ...extra)
  for (const [variable, value] of Object.entries(vars)) args.push('--var', `${variable}:${value}`)
  const child = spawn(process.execPath, [join(import.meta.dirname, 'tether.ts'), 'wrangler', ...args], {
    cwd: root,
    detached: true, // a group of its own: Ctrl-C reaches the starter alone, which then stops the groups in order
    stdio: ['pipe', out, out],
    env: {
      ...process.env,
      ...quietTools,
      NO_COLOR: '1',
      FORCE_COLOR: '0',
      WRANGLER_LOG_PATH: `${log}.wrangler`,
      WRANGLER_REGISTRY_PATH: join(persistTo, 'registry'),
      CLOUDFLARE_LOAD_DEV_VARS_FROM_DOT_ENV: 'false',
    },
  })
  closeSync(out)
  const ended = new Promise<string>((settle) => {
    child.on('error', (error) => settle(error.message))
    child.on('exit', (code, signal) => settle(signal === null ? `ended with ${code}` : `was stopped by ${signal}`))
  })
  return { name, pid: child.pid ?? 0, log, ended, process: child }
}

const readyWithinMs = 90_000

/** Waits until a health page answers; throws when the process ends first or takes too long. */
export async function untilReady(runtime: Runtime, url: string): Promise<void> {
  const stopped = new AbortController()
  const gone = runtime.ended.then((how) => {
    stopped.abort()
    throw new Error(`${runtime.name} ${how} before it was ready`)
  })
  const deadline = performance.now() + readyWithinMs
  const ready = async (): Promise<void> => {
    for (;;) {
      if (await answers(url)) return
      if (performance.now() > deadline) throw new Error(`${runtime.name} was not ready within ${readyWithinMs / 1000} s`)
      await pause(150, undefined, { signal: stopped.signal })
    }
  }
  await Promise.race([gone, ready()])
  gone.catch(() => undefined) // from here on the caller watches `ended` itself
}

async function answers(url: string): Promise<boolean> {
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(10_000) })
    await answer.arrayBuffer()
    return answer.ok
  } catch {
    return false // nothing listens yet
  }
}

/** Stops groups of processes: politely, then, after the grace, for good. */
export async function stopGroups(runtimes: Pick<Runtime, 'pid' | 'ended'>[], graceMs: number): Promise<void> {
  for (const { pid } of runtimes) signalGroup(pid, 'SIGTERM')
  await Promise.race([Promise.all(runtimes.map(({ ended }) => ended)), pause(graceMs, undefined, { ref: false })])
  for (const { pid } of runtimes) signalGroup(pid, 'SIGKILL')
  while (runtimes.some(({ pid }) => signalGroup(pid, 0))) await pause(20)
}

/** False when no such group exists any more. */
export function signalGroup(pid: number, signal: NodeJS.Signals | 0): boolean {
  if (pid <= 1) return false
  try {
    process.kill(-pid, signal)
    return true
  } catch {
    return false
  }
}

/** The last lines of a log, for when something went wrong. */
export function tail(file: string, lines = 25): string {
  try {
    return readFileSync(file, 'utf8').trimEnd().split('\n').slice(-lines).join('\n')
  } catch (error) {
    return `(no log: ${error instanceof Error ? error.message : String(error)})`
  }
}

/** True when a port can be listened on, on both loopback addresses. */
export async function portFree(port: number): Promise<boolean> {
  for (const host of ['127.0.0.1', '::1']) {
    const code = await new Promise<string | undefined>((settle) => {
      const server = createServer()
      server.on('error', (error: NodeJS.ErrnoException) => settle(error.code))
      server.listen(port, host, () => server.close(() => settle(undefined)))
    })
    if (code === 'EADDRINUSE' || code === 'EACCES') return false
  }
  return true
}
