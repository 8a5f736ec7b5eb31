/** Calls through the gateway that miss get a verdict by themselves, from hashes, usage and clock. Against the lab. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { freePort, runWorker } from '../e2e/running.ts'
import type { Running } from '../e2e/running.ts'
import { runLab } from '../lab/running.ts'
import type { RunningLab } from '../lab/running.ts'

const KEY = 'pilotlight-dev'
const PATIENT = { timeout: 60_000, interval: 250 }

let lab: RunningLab
let worker: Running
let folder: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pilotlight-missed-'))
  lab = await runLab({ vars: { LAB_LATENCY: 'off' } })
  const vars = {
    ENVIRONMENT: 'development',
    ADMIN_KEY: 'pilotlight-admin',
    DEV_ACCOUNT_KEY: KEY,
    LAB_URL: lab.url,
    LAB_PROVIDERS: 'anthropic',
  }
  worker = await runWorker({ persist: folder, port: await freePort(), vars })
})

afterAll(async () => {
  await worker?.kill()
  await lab?.stop()
  await rm(folder, { recursive: true, force: true })
})

interface Row {
  verdict: string
  name?: string | null
  count: number
  lost_tokens: number
  cost_usd: number | null
  unpriced: number
  fault: string
  last: { at: string; prefix_id: string | null; first_difference?: { path: string } }
}

async function misses(by = 'name'): Promise<Row[]> {
  const answer = await fetch(`${worker.base}/misses?by=${by}`, { headers: { authorization: `Bearer ${KEY}` } })
  expect(answer.status).toBe(200)
  return ((await answer.json()) as { data: Row[] }).data
}

const long = (name: string): string => `${name}. ${'You answer questions about the river handbook. '.repeat(1_000)}`
const marked = (text: string) => ({ type: 'text', text, cache_control: { type: 'ephemeral' } })

/** Asks through the gateway, and answers what was read. */
async function asked(body: object, headers: Record<string, string>): Promise<Response> {
  return fetch(`${worker.base}/via/anthropic/v1/messages`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'x-pilotlight-key': KEY,
      'x-api-key': 'lab',
      'anthropic-version': '2023-06-01',
      ...headers,
    },
    body: JSON.stringify({ model: 'claude-opus-4-8', max_tokens: 64, ...body }),
  })
}

async function read(answer: Response): Promise<number> {
  expect(answer.status).toBe(200)
  const { usage } = (await answer.json()) as { usage: { cache_read_input_tokens: number } }
  return usage.cache_read_input_tokens
}

const rowOf = async (name: string) => (await misses()).filter((row) => row.name === name)

describe('a call through the gateway that misses', () => {
  it('is told as a clock in the system prompt, with path, tokens and dollars', async () => {
    const headers = { 'x-pilotlight-name': 'clocked' }
    const at = (clock: string) => [marked(`It is ${clock} now. ${long('Clocked')}`)]
    const ask = { messages: [{ role: 'user', content: 'Where is the ford?' }] }
    for (const isRead of [false, true])
      expect((await read(await asked({ ...ask, system: at('2026-11-30T10:41:07Z') }, headers))) > 0).toBe(isRead)
    expect(await read(await asked({ ...ask, system: at('2026-11-30T10:42:09Z') }, headers))).toBe(0)
    await expect.poll(() => rowOf('clocked'), PATIENT).toHaveLength(1)
    const [row] = await rowOf('clocked')
    expect(row).toMatchObject({ verdict: 'clock_in_prefix', fault: 'yours', count: 1, unpriced: 0 })
    expect(row?.last.first_difference).toEqual({ path: 'system[0]' })
    expect(row?.lost_tokens).toBeGreaterThan(8_000)
    expect(row?.cost_usd).toBeGreaterThan(0)
  })
})
