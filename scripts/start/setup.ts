/** Sets up a run: the real providers, the state folder, the clock and the processes. */
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { root } from '../step.ts'
import { damageIn } from './damage.ts'
import { loadClock, resume, virtualNow, type Kept } from './clock.ts'
import { developmentKeys, readKeys, stateName, type Keys } from './keys.ts'
import type { Options } from './options.ts'
import { portFree, type Launch } from './processes.ts'
import { clearRun, type RunRecord } from './run-record.ts'

const usualSpeed = 12

export interface Setup {
  keys: Keys
  /** True if the lab replaces every provider: then time may run faster, and calls cost nothing. */
  pretend: boolean
  speed: number
  now: () => number
  clockFile: string
  /** Returns the record of the clock at this moment. */
  kept: (stopped: boolean) => Kept
  runFile: string
  base: string
  labUrl: string
  launches: Launch[]
}

/** A problem is a sentence for the user. */
export async function setUp(options: Options, realNow: () => number): Promise<Setup | { problem: string }> {
  const devVars = resolve(root, options.devVars)
  const keys = readKeys(existsSync(devVars) ? readFileSync(devVars, 'utf8') : '')
  const withLab = keys.lab.length > 0
  const pretend = keys.real.length === 0
  const speed = pretend ? (options.speed ?? usualSpeed) : 1

  const state = resolve(root, options.state ?? '.state', stateName(keys.real))
  mkdirSync(state, { recursive: true })
  const runFile = join(state, 'run.json')
  const holder = await freeRun(runFile)
  if (holder !== null) {
    const where = `process ${holder.pid}, http://localhost:${holder.port}`
    return {
      problem: `Already running (${where}). Stop that one first, or give this one a state of its own with --state DIR.`,
    }
  }
  if (!(await portFree(options.port))) return taken(options.port, 'Pilotlight', '--port N or PORT=N')
  if (withLab && !(await portFree(options.labPort)))
    return taken(options.labPort, 'the lab', '--lab-port N or LAB_PORT=N')

  const clockFile = join(state, 'clock.json')
  const damage = damageIn(state)
  if (damage !== null) return { problem: damage }
  const anchor = resume(pretend ? loadClock(clockFile) : null, speed, realNow())
  const now = (): number => virtualNow(anchor, realNow())
  const clock = {
    CLOCK_REAL_ANCHOR_AT: String(anchor.realAt),
    CLOCK_VIRTUAL_ANCHOR_AT: String(anchor.virtualAt),
    CLOCK_RATE: String(speed),
  }
  const base = `http://127.0.0.1:${options.port}`
  const labUrl = `http://127.0.0.1:${options.labPort}`

  const lab: Launch = {
    name: 'the lab',
    config: 'test/lab/wrangler.toml',
    port: options.labPort,
    health: `${labUrl}/_lab/health`,
    persistTo: join(state, 'lab'),
    log: join(state, 'lab.log'),
    vars: clock,
    envFile: null,
  }
  const pilotlight: Launch = {
    name: 'Pilotlight',
    config: 'wrangler.toml',
    port: options.port,
    health: `${base}/health`,
    persistTo: join(state, 'worker'),
    log: join(state, 'worker.log'),
    vars: {
      ENVIRONMENT: 'development',
      ...(keys.own.adminKey ? {} : { ADMIN_KEY: keys.adminKey }),
      ...(keys.own.accountKey ? {} : { DEV_ACCOUNT_KEY: keys.accountKey }),
      ...(keys.own.seal ? {} : { KEY_ENCRYPTION_SECRET: developmentKeys.seal }),
      ...(withLab ? { LAB_URL: labUrl, LAB_PROVIDERS: keys.lab.join(',') } : {}),
      ...(pretend ? clock : {}), // a real provider's caches lapse in real time
    },
    envFile: options.devVars === '.dev.vars' ? null : devVars,
  }

  return {
    keys,
    pretend,
    speed,
    now,
    clockFile,
    kept: (stopped) => ({ virtualAt: now(), rate: speed, stopped }),
    runFile,
    base,
    labUrl,
    launches: withLab ? [lab, pilotlight] : [pilotlight],
  }
}

/** Waits for a run that is stopping. Returns the run that still uses the folder, or null. */
async function freeRun(runFile: string): Promise<RunRecord | null> {
  const deadline = performance.now() + 15_000
  for (;;) {
    const holder = clearRun(runFile)
    if (holder === null || !holder.stopping || performance.now() > deadline) return holder
    await pause(200)
  }
}

function taken(port: number, what: string, option: string): { problem: string } {
  return { problem: `Port ${port}, meant for ${what}, is in use. Choose another with ${option}.` }
}
