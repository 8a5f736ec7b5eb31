import { readdirSync, readFileSync } from 'node:fs'
import type { ClockVars } from '../../src/runtime/clock.ts'
import { startLocal } from '../local.ts'

const KEY = 'pilotlight-dev'
const ADMIN = 'pilotlight-admin'

/** The shipped Worker with the doors of the bench, and the lab in the place of its providers. */
export interface Running {
  url: string
  labUrl: string
  /** Key of the account that the callers are of. */
  key: string
  /** A call that must succeed; returns the text of its answer. */
  call: (path: string, given?: { method?: string; body?: string; admin?: boolean }) => Promise<string>
  stop: () => Promise<void>
}

/** `clock`: the variables of a faster clock, for both; absent: the machine's. */
export async function startScale(clock: ClockVars = {}): Promise<Running> {
  const lab = await startLocal('test/lab/wrangler.toml', { ...clock, LAB_LATENCY: 'off' }, '/')
  const worker = await startLocal(
    'bench/scale/wrangler.toml',
    {
      ...clock,
      ENVIRONMENT: 'development',
      ADMIN_KEY: ADMIN,
      DEV_ACCOUNT_KEY: KEY,
      LAB_URL: lab.url,
      LAB_PROVIDERS: 'anthropic',
    },
    '/health',
  )
  return {
    url: worker.url,
    labUrl: lab.url,
    key: KEY,
    call: async (path, { method, body, admin = false } = {}) => {
      const headers = { authorization: `Bearer ${admin ? ADMIN : KEY}`, 'content-type': 'application/json' }
      const given = { method: method ?? (body === undefined ? 'GET' : 'POST'), headers }
      const response = await fetch(worker.url + path, body === undefined ? given : { ...given, body })
      const text = await response.text()
      if (response.status >= 300) throw new Error(`${path} answered ${response.status}: ${text.slice(0, 300)}`)
      return text
    },
    stop: async () => {
      await worker.stop()
      await lab.stop()
    },
  }
}

/** Megabytes of memory of each workerd that this process has started; empty where the system does not say. */
export function runtimeMegabytes(): number[] {
  const parents = new Map<number, { parent: number; name: string }>()
  try {
    for (const entry of readdirSync('/proc')) {
      if (!/^\d+$/.test(entry)) continue
      const [, name = '', rest = ''] = /^\d+ \((.*)\) (.*)$/s.exec(readOr(`/proc/${entry}/stat`)) ?? []
      parents.set(Number(entry), { name, parent: Number(rest.split(' ')[1]) })
    }
  } catch {
    return []
  }
  const isOurs = (pid: number): boolean => {
    for (let at = pid; at > 1; at = parents.get(at)?.parent ?? 0) if (at === process.pid) return true
    return false
  }
  return [...parents]
    .filter(([pid, { name }]) => name === 'workerd' && isOurs(pid))
    .map(([pid]) => Number(/VmRSS:\s+(\d+)/.exec(readOr(`/proc/${pid}/status`))?.[1] ?? 0) / 1_024)
}

function readOr(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return '' // it has ended meanwhile
  }
}
