import { readdirSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { runLab } from '../lab/running.ts'
import type { RunningLab } from '../lab/running.ts'
import { anthropicBody } from '../support/registration.ts'
import { caller, freePort, runWorker } from './running.ts'
import type { Running } from './running.ts'

/** Virtual seconds per second until shortly before the probe is due. Then it is 1, so that a slow restart fits. */
const FAST = 20

interface View {
  id: string
  probes: number
  last_receipt: { kind: string }
  warmth: { state: string; warm_until: string }
  plan: { next_probe_at: string }
}
interface Row {
  type: string
  kind?: string
  decision?: string
}

let lab: RunningLab
let worker: Running | null = null
let folder: string
let port: number
/** The clock of the lab, which the product shares: virtual = virtualAt + rate × (real − realAt). */
let clock: { realAt: number; virtualAt: number; rate: number }
const now = (): number => clock.virtualAt + clock.rate * (Date.now() - clock.realAt)

/** Sets the rate of the lab's clock, and takes over its anchors: the product has to count from the same instant. */
async function setRate(rate: number): Promise<void> {
  const answer = await fetch(`${lab.url}/_lab/clock`, {
    method: 'POST',
    body: JSON.stringify({ mode: 'virtual', now: Math.floor(now()), rate }),
  })
  expect(answer.status).toBe(200)
  const anchors = (await answer.json()) as { real_anchor_at: number; virtual_anchor_at: number }
  clock = { realAt: anchors.real_anchor_at, virtualAt: anchors.virtual_anchor_at, rate }
}

/** Starts the product where the clock stood. */
async function start(rate: number): Promise<Running> {
  await setRate(rate)
  const vars = {
    ENVIRONMENT: 'development',
    ADMIN_KEY: 'pilotlight-admin',
    DEV_ACCOUNT_KEY: 'pilotlight-dev',
    LAB_URL: lab.url,
    LAB_PROVIDERS: 'anthropic',
    CLOCK_REAL_ANCHOR_AT: String(clock.realAt),
    CLOCK_VIRTUAL_ANCHOR_AT: String(clock.virtualAt),
    CLOCK_RATE: String(rate),
  }
  return runWorker({ persist: folder, port, vars })
}

/** Kills the product, and stops the clock while it is down. */
async function kill(running: Running): Promise<void> {
  await running.kill()
  await setRate(0)
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pilotlight-killed-'))
  clock = { realAt: Date.now(), virtualAt: Date.now(), rate: 0 }
  lab = await runLab({ vars: { LAB_LATENCY: 'off' } })
  port = await freePort()
})

afterAll(async () => {
  await worker?.kill()
  await lab?.stop()
  await rm(folder, { recursive: true, force: true })
})

/** Returns the claims that a dead process had put on the queue and not begun. */
function claimsInTables(persist: string): number {
  const objects = join(persist, 'v3/do/pilotlight-Registry')
  let claims = 0
  for (const file of readdirSync(objects).filter((name) => name.endsWith('.sqlite') && name !== 'metadata.sqlite')) {
    const database = new DatabaseSync(join(objects, file))
    claims += Number(database.prepare('SELECT count(*) AS n FROM claim WHERE leases IS NULL').get()?.['n'])
    database.close()
  }
  return claims
}

async function tick(base: string): Promise<void> {
  const answer = await fetch(`${base}/cdn-cgi/local/scheduled?cron=*+*+*+*+*`)
  expect(answer.status).toBe(200)
}

it('a killed Worker forgets no prefix and lets none lapse, also with a probe on the queue', async () => {
  worker = await start(FAST)
  const call = caller(worker.base)
  const registered = await call<{ id: string }>('POST', '/warm', {
    name: 'killed',
    provider: 'anthropic',
    request: JSON.parse(anthropicBody('killed')) as unknown,
    keep_warm: { plan: 'always' },
  })
  expect(registered.status).toBe(200)
  const { id } = registered.body
  const view = async (): Promise<View> => (await call<View>('GET', `/prefixes/${id}`)).body
  const first = await view()
  expect(first.last_receipt.kind).toBe('written')

  // A tick within its horizon of 65 s puts the probe on the queue with a delay; the queue ends with the process. A minute later the
  // claim is made again: that leaves the lead, of 23 s at least, before the lapse.
  const dueAt = Date.parse(first.plan.next_probe_at)
  await pause(Math.max(0, (dueAt - 100_000 - now()) / FAST))
  await kill(worker)
  worker = await start(1)
  await pause(Math.max(0, dueAt - 63_000 - now()))
  await tick(worker.base)
  await kill(worker)
  expect(claimsInTables(folder)).toBe(1)
  worker = await start(1)

  // No tick from here on, so that the alarm alone acts.
  let after = await view()
  for (let tries = 0; tries < 240 && after.probes < 2; tries++) {
    await pause(500)
    after = await view()
  }
  expect(after.probes).toBe(2)
  expect(after.last_receipt.kind).toBe('full')
  expect(after.warmth.state).toMatch(/warm|expiring/)
  const { data } = (await call<{ data: Row[] }>('GET', `/prefixes/${id}/history`)).body
  expect(data.filter((row) => row.type === 'receipt').map((row) => row.kind)).toEqual(['written', 'full'])
  expect(data.some((row) => row.decision === 'lapse')).toBe(false)

  // A second restart, at rest, shows the same registrations.
  await kill(worker)
  worker = await start(1)
  expect((await call<{ data: View[] }>('GET', '/prefixes')).body.data.map((one) => one.id)).toEqual([id])
}, 300_000)
