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

/** Virtual seconds per second. A restart on a busy machine still fits into the rest of a five-minute retention. */
const RATE = 3

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
let start: () => Promise<Running>
let now: () => number

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pilotlight-killed-'))
  const anchor = Date.now()
  now = () => anchor + RATE * (Date.now() - anchor)
  const clock = {
    CLOCK_REAL_ANCHOR_AT: String(anchor),
    CLOCK_VIRTUAL_ANCHOR_AT: String(anchor),
    CLOCK_RATE: String(RATE),
  }
  lab = await runLab({ vars: { ...clock, LAB_LATENCY: 'off' } })
  const port = await freePort()
  const vars = {
    ENVIRONMENT: 'development',
    ADMIN_KEY: 'pilotlight-admin',
    DEV_ACCOUNT_KEY: 'pilotlight-dev',
    LAB_URL: lab.url,
    LAB_PROVIDERS: 'anthropic',
    ...clock,
  }
  start = () => runWorker({ persist: folder, port, vars })
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
  worker = await start()
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

  // A tick shortly before the probe is due puts it on the queue with a delay. The queue ends with the process.
  const dueAt = Date.parse(first.plan.next_probe_at)
  await pause(Math.max(0, (dueAt - 45_000 - now()) / RATE))
  await tick(worker.base)
  await worker.kill()
  expect(claimsInTables(folder)).toBe(1)
  worker = await start()

  // No tick from here on, so that the alarm alone acts.
  let after = await view()
  for (let tries = 0; tries < 120 && after.probes < 2; tries++) {
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
  await worker.kill()
  worker = await start()
  expect((await call<{ data: View[] }>('GET', '/prefixes')).body.data.map((one) => one.id)).toEqual([id])
})
