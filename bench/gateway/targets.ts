import { fork, spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync, readdirSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { install } from '../../scripts/install.ts'
import { freePort } from '../../test/e2e/running.ts'
import { rawWorkerd, served } from '../../test/support/raw-workerd.ts'
import { say } from '../figure.ts'

const PORTKEY = 'bench/gateway/portkey'
const ADMIN = 'pilotlight-admin-of-the-bench'
const OWN_KEY = 'sk-of-the-caller'
const READY_WITHIN_MS = 30_000

export type TargetName = 'direct' | 'bare' | 'ours' | 'portkey'

/** Where calls are sent. */
export interface Target {
  name: TargetName
  url: string
  headers: Record<string, string>
  /** Number of its process. */
  pid: number
}

export interface Targets {
  all: Target[]
  /** Version of Portkey's gateway, and the versions without which it does not start. */
  portkey: { version: string; pins: Record<string, string> }
  stop: () => Promise<void>
}

/** A bare Worker that passes requests on: the platform's own cost. */
const BARE = `export default {
  fetch(request, env) {
    const { pathname, search } = new URL(request.url)
    return fetch(env.UPSTREAM + pathname + search, request)
  },
}`

/** Starts the mock provider and what is measured between it and the caller, each in a process of its own. */
export async function startTargets(): Promise<Targets> {
  const stops: (() => Promise<void>)[] = []
  const stop = async (): Promise<void> => {
    for (const one of stops.splice(0).toReversed()) await one()
  }
  const own = { authorization: `Bearer ${OWN_KEY}` }
  const path = '/openai/v1/chat/completions'
  try {
    const provider = await startProvider()
    stops.push(provider.stop)
    const bare = await startBare(provider.url)
    stops.push(bare.stop)
    const ours = await startOurs(provider.url)
    stops.push(ours.stop)
    const portkey = await startPortkey(`${provider.url}/openai/v1`)
    stops.push(portkey.stop)
    const all: Target[] = [
      { name: 'direct', url: provider.url + path, headers: own, pid: provider.pid },
      { name: 'bare', url: bare.base + path, headers: own, pid: bare.pid },
      { name: 'ours', url: ours.url, headers: own, pid: ours.pid },
      { name: 'portkey', url: portkey.url, headers: { ...own, ...portkey.headers }, pid: portkey.pid },
    ]
    return { all, portkey: { version: portkey.version, pins: portkey.pins }, stop }
  } catch (thrown) {
    await stop()
    throw thrown
  }
}

interface Started {
  url: string
  pid: number
  stop: () => Promise<void>
}

async function startProvider(): Promise<Started> {
  const child = fork(join(import.meta.dirname, 'provider.ts'))
  const port = await new Promise<unknown>((resolve, reject) => {
    child.once('message', resolve)
    child.once('exit', () => reject(new Error('the mock provider did not start')))
  })
  return { url: `http://127.0.0.1:${String(port)}`, pid: child.pid ?? 0, stop: () => ended(child) }
}

function startBare(upstream: string): ReturnType<typeof served> {
  return served(
    '/',
    (_, port) => `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = .main),
    (name = "internet", network = (allow = ["public", "private", "local"])),
  ],
  sockets = [(name = "http", address = "127.0.0.1:${port}", http = (), service = "main")],
);
const main :Workerd.Worker = (
  modules = [(name = "bare.js", esModule = ${JSON.stringify(BARE)})],
  compatibilityDate = "2026-10-20",
  bindings = [(name = "UPSTREAM", text = ${JSON.stringify(upstream)})],
);
`,
  )
}

/** The shipped bundle, and an account with a token for its path. Its observations are consumed in the same process. */
async function startOurs(upstream: string): Promise<Started> {
  const worker = await rawWorkerd(
    {
      ENVIRONMENT: 'development',
      ADMIN_KEY: ADMIN,
      KEY_ENCRYPTION_SECRET: 'pilotlight-seal-of-the-bench',
      LAB_URL: upstream,
      LAB_PROVIDERS: 'openai-chat',
    },
    'consumed',
  )
  try {
    const made = async (at: string, body: object): Promise<{ key: string }> => {
      const answer = await fetch(worker.base + at, {
        method: 'POST',
        headers: { authorization: `Bearer ${ADMIN}`, 'content-type': 'application/json' },
        body: JSON.stringify(body),
      })
      const text = await answer.text()
      if (!answer.ok) throw new Error(`POST ${at} answered ${answer.status}: ${text}`)
      return JSON.parse(text) as { key: string }
    }
    await made('/accounts', { id: 'bench' })
    const { key } = await made('/accounts/bench/keys', { access: 'via' })
    const url = `${worker.base}/via/~${key}/openai-chat/v1/chat/completions`
    return { url, pid: worker.pid, stop: worker.stop }
  } catch (thrown) {
    await worker.stop()
    throw thrown
  }
}

async function startPortkey(
  upstream: string,
): Promise<Started & { headers: Record<string, string>; version: string; pins: Record<string, string> }> {
  say(`Portkey's gateway: npm ci in ${PORTKEY}, unless it is there …`)
  await install(PORTKEY)
  const folder = join(import.meta.dirname, 'portkey')
  const { dependencies, overrides } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as {
    dependencies: Record<string, string>
    overrides: Record<string, string>
  }
  const port = await freePort()
  const home = mkdtempSync(join(tmpdir(), 'pilotlight-portkey-'))
  const program = join(folder, 'node_modules/@portkey-ai/gateway/build/start-server.js')
  const child = spawn(process.execPath, [program, `--port=${port}`, '--headless'], { cwd: home, stdio: 'ignore' })
  const stop = async (): Promise<void> => {
    await ended(child)
    rmSync(home, { recursive: true, force: true })
  }
  const base = `http://127.0.0.1:${port}`
  const until = performance.now() + READY_WITHIN_MS
  while (!(await answers(base))) {
    if (child.exitCode === null && performance.now() < until) await pause(100)
    else {
      await stop()
      throw new Error("Portkey's gateway did not start")
    }
  }
  return {
    url: `${base}/v1/chat/completions`,
    headers: { 'x-portkey-provider': 'openai', 'x-portkey-custom-host': upstream },
    pid: child.pid ?? 0,
    stop,
    version: dependencies['@portkey-ai/gateway'] ?? '',
    pins: overrides,
  }
}

async function answers(url: string): Promise<boolean> {
  try {
    await (await fetch(url)).text()
    return true
  } catch {
    return false
  }
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGKILL')
  await gone
}

/** Milliseconds of CPU that the threads of a process have taken. Linux alone tells it so exactly. */
export function cpuMsOf(pid: number): number {
  const threads = `/proc/${pid}/task`
  const nanoseconds = readdirSync(threads).map((thread) =>
    Number(readFileSync(join(threads, thread, 'schedstat'), 'utf8').split(' ')[0]),
  )
  return nanoseconds.reduce((sum, one) => sum + one, 0) / 1e6
}

/** Megabytes (10⁶ bytes) of memory that a process holds. */
export function megabytesOf(pid: number): number {
  return (Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1_024) / 1e6
}
