/** Runtimes as child processes, each with its own group and log file. All end with the starter. */
import { spawn, type ChildProcess } from 'node:child_process'
import { closeSync, openSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { processes } from './process-list.ts'
import { quietTools, root } from '../step.ts'

export interface Runtime {
  name: string
  pid: number
  log: string
  health: string
  /** Settles with a sentence when the process ends. */
  ended: Promise<string>
  process: ChildProcess
}

export interface Launch {
  name: string
  config: string
  port: number
  /** Address that answers 200 when the runtime is ready. */
  health: string
  persistTo: string
  log: string
  vars: Record<string, string>
  /** File that replaces .dev.vars. */
  envFile: string | null
}

export function launchAll(launches: Launch[]): Runtime[] {
  return launches.map(launch)
}

/** Starts one Worker with `wrangler dev`. */
function launch({ name, config, port, health, persistTo, log, vars, envFile }: Launch): Runtime {
  // Wrangler would keep a file of its own for every start, and a line for every request.
  rmSync(`${log}.wrangler`, { recursive: true, force: true })
  const out = openSync(log, 'w')
  const args = [
    'dev',
    '--local',
    '--config',
    config,
    '--port',
    String(port),
    '--inspector-port',
    '0',
    '--persist-to',
    persistTo,
  ]
  args.push('--show-interactive-dev-session=false', '--log-level', 'warn')
  if (envFile !== null) args.push('--env-file', envFile)
  for (const [variable, value] of Object.entries(vars)) args.push('--var', `${variable}:${value}`)
  const child = spawn(process.execPath, [join(import.meta.dirname, 'tether.ts'), 'wrangler', ...args], {
    cwd: root,
    detached: true, // its own group, so that Ctrl-C reaches the starter alone, which then stops the groups in order
    stdio: ['pipe', out, out],
    env: {
      ...process.env,
      ...quietTools,
      NO_COLOR: '1',
      FORCE_COLOR: '0',
      WRANGLER_LOG_PATH: `${log}.wrangler`,
      WRANGLER_WRITE_LOGS: 'false',
      WRANGLER_REGISTRY_PATH: join(persistTo, 'registry'),
      CLOUDFLARE_LOAD_DEV_VARS_FROM_DOT_ENV: 'false',
    },
  })
  closeSync(out)
  const ended = new Promise<string>((settle) => {
    child.on('error', (error) => settle(error.message))
    child.on('exit', (code, signal) => settle(signal === null ? `ended with ${code}` : `was stopped by ${signal}`))
  })
  return { name, pid: child.pid ?? 0, log, health, ended, process: child }
}

const readyWithinMs = 90_000

/** Waits until a runtime answers; throws after the time limit. The caller must watch whether the runtime ends first. */
export async function untilReady({ name, health }: Runtime, signal: AbortSignal): Promise<void> {
  const deadline = performance.now() + readyWithinMs
  while (!(await answers(health))) {
    if (performance.now() > deadline)
      throw new Error(`${name} did not answer at ${health} within ${readyWithinMs / 1000} s`)
    await pause(150, undefined, { signal })
  }
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

/** Stops groups of processes: with SIGTERM, and after the grace period with SIGKILL. */
export async function stopGroups(runtimes: Pick<Runtime, 'pid' | 'ended'>[], graceMs: number): Promise<void> {
  for (const { pid } of runtimes) signalGroup(pid, 'SIGTERM')
  await Promise.race([Promise.all(runtimes.map(({ ended }) => ended)), pause(graceMs, undefined, { ref: false })])
  for (const { pid } of runtimes) signalGroup(pid, 'SIGKILL')
  const groups = new Set(runtimes.map(({ pid }) => pid))
  while (processes().some(({ group }) => groups.has(group))) await pause(50) // after SIGKILL they end soon
}

/** Signals a group if it still exists. */
export function signalGroup(pid: number, signal: NodeJS.Signals): void {
  if (pid <= 1) return // not started; -1 would signal every process
  try {
    process.kill(-pid, signal)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

/** Returns the last lines of a log, for an error message. */
export function tail(file: string, lines = 25): string {
  try {
    return readFileSync(file, 'utf8').trimEnd().split('\n').slice(-lines).join('\n')
  } catch (error) {
    return `(no log: ${error instanceof Error ? error.message : String(error)})`
  }
}

/** True if a port is free on both loopback addresses. */
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
