import type { Lifetime } from '../contract/lifetime.ts'

/** What is seen of the process that runs this client. */
export interface Host {
  /** Environment variables that may be read. */
  env: Readonly<Record<string, string | undefined>>
  /** Whether its output is a terminal, and whether its errors are. */
  terminal: boolean
  errorTerminal: boolean
  /** Seconds since it began. */
  uptimeS: number
  pid: number
  /** Calls back once the process has nothing left to do, before it ends by itself. */
  beforeExit: (work: () => void) => void
}

/** A process that has run for so long without a terminal is a service rather than a script. */
const SERVICE_AFTER_S = 900

/** Variables of runtimes that keep processes for many requests. */
const SERVICES = [
  'AWS_LAMBDA_FUNCTION_NAME',
  'DENO_DEPLOYMENT_ID',
  'DYNO',
  'FLY_APP_NAME',
  'INVOCATION_ID',
  'K_SERVICE',
  'KUBERNETES_SERVICE_HOST',
  'VERCEL',
  'WEBSITE_INSTANCE_ID',
  'pm_id',
]

/**
 * How long the session of this process lives, as far as the process shows it: CI is a one-shot, and so is a young process without any terminal that
 * no service runs. One whose output is a terminal has a person before it. Undefined: not known.
 */
export function lifetimeOf(host: Host | null): Lifetime | undefined {
  if (host === null) return undefined
  const { env, terminal, errorTerminal, uptimeS, pid } = host
  const ci = env['CI']?.toLowerCase() ?? ''
  if (ci !== '' && ci !== 'false' && ci !== '0') return 'one_shot'
  if (terminal) return 'interactive'
  const isService = pid === 1 || uptimeS >= SERVICE_AFTER_S || SERVICES.some((name) => env[name] !== undefined)
  return errorTerminal || isService ? undefined : 'one_shot'
}

const works = new Set<() => void>()

/** Does some work once the process has nothing left to do. One listener serves all of it: Node warns of many. */
export function beforeExit(host: Host, work: () => void): void {
  if (works.size === 0) {
    host.beforeExit(() => {
      for (const one of works) one()
      works.clear()
    })
  }
  works.add(work)
}

interface ProcessLike {
  env?: Record<string, string | undefined>
  stdout?: { isTTY?: boolean }
  stderr?: { isTTY?: boolean }
  pid?: number
  uptime?: () => number
  once?: (event: 'beforeExit', listener: () => void) => unknown
}

interface Globals {
  process?: ProcessLike
  navigator?: { userAgent?: string }
  Deno?: { permissions?: { querySync?: (wanted: { name: 'env' }) => { state: string } } }
}

/** The process of Node, Deno or Bun; null elsewhere: a Worker or a page has none that begins and ends with a session. */
export function hostOf(globals: object = globalThis): Host | null {
  const { process, navigator, Deno } = globals as Globals
  if (process === undefined || navigator?.userAgent === 'Cloudflare-Workers') return null
  if (typeof process.uptime !== 'function' || typeof process.once !== 'function') return null
  // Deno would ask the person at its terminal for a permission.
  const mayRead = Deno?.permissions?.querySync?.({ name: 'env' }).state !== 'prompt'
  try {
    const env = (mayRead ? process.env : undefined) ?? {}
    void env['CI']
    return {
      env,
      terminal: process.stdout?.isTTY === true,
      errorTerminal: process.stderr?.isTTY === true,
      uptimeS: process.uptime(),
      pid: process.pid ?? 0,
      beforeExit: (work) => void process.once?.('beforeExit', work),
    }
  } catch {
    // What may not be read says nothing, and a caller's request never fails for it.
    return null
  }
}
