/** The commands against the real runtime and the lab, as an operator calls them. */
import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { freePort, runWorker } from '../e2e/running.ts'
import type { Running } from '../e2e/running.ts'
import { runLab } from '../lab/running.ts'
import type { RunningLab } from '../lab/running.ts'

let lab: RunningLab
let worker: Running
let folder: string
let env: Record<string, string>

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pilotlight-operated-'))
  lab = await runLab({ vars: { LAB_LATENCY: 'off' } })
  const vars = {
    ENVIRONMENT: 'development',
    ADMIN_KEY: 'pilotlight-admin',
    DEV_ACCOUNT_KEY: 'pilotlight-dev',
    LAB_URL: lab.url,
    LAB_PROVIDERS: 'anthropic',
  }
  worker = await runWorker({ persist: folder, port: await freePort(), vars })
  env = { PILOTLIGHT_URL: worker.base, PILOTLIGHT_KEY: 'pilotlight-dev', PILOTLIGHT_ADMIN_KEY: 'pilotlight-admin' }
  const body = {
    model: 'claude-opus-4-8',
    max_tokens: 64,
    system: [
      { type: 'text', text: 'You answer questions about the ford. '.repeat(400), cache_control: { type: 'ephemeral' } },
    ],
    messages: [{ role: 'user', content: 'Which?' }],
  }
  await writeFile(join(folder, 'body.json'), JSON.stringify(body))
  const agents = ['writer', 'editor'].map((name) => ({ provider: 'anthropic', name, request: body }))
  await writeFile(join(folder, 'crew.json'), JSON.stringify({ agents: [agents[0]] }))
})

afterAll(async () => {
  await worker?.kill()
  await lab?.stop()
  await rm(folder, { recursive: true, force: true })
})

interface Ended {
  code: number
  out: string
  said: string
}

function pilotlight(args: string[], more: Record<string, string> = {}): Promise<Ended> {
  const program = join(import.meta.dirname, '../../bin/pilotlight.mjs')
  return new Promise((resolve) => {
    const home = { PATH: process.env['PATH'] ?? '', HOME: folder, ...env, ...more }
    execFile(process.execPath, [program, ...args], { cwd: folder, env: home }, (failed, out, said) =>
      resolve({ code: typeof failed?.code === 'number' ? failed.code : 0, out, said }),
    )
  })
}

async function json(args: string[]): Promise<Record<string, unknown>> {
  const { code, out, said } = await pilotlight([...args, '--json'])
  expect([args, code, said]).toEqual([args, 0, expect.any(String)])
  return JSON.parse(out) as Record<string, unknown>
}

describe('an operator’s day', () => {
  it('begins with a deployment that is well', async () => {
    const { out } = await pilotlight(['doctor', '--json'])
    const { findings, checks } = JSON.parse(out) as { findings: number; checks: { check: string; state: string }[] }
    expect(checks.length).toBeGreaterThan(8)
    const wrong = checks.filter(({ state }) => state === 'finding').map(({ check }) => check)
    // Cron may not have run yet where the runtime has just begun.
    expect(wrong.filter((check) => check !== 'cron')).toEqual([])
    expect(findings).toBe(wrong.length)
  })

  it('warms, shows, changes, pauses, resumes and forgets a prefix by its name', async () => {
    const warmed = await json(['warm', 'body.json', '--provider', 'anthropic', '--name', 'ford', '--plan', 'auto'])
    expect(warmed).toMatchObject({ name: 'ford', warmth: { state: 'warm' }, receipt: { kind: 'written' } })
    expect(await json(['show', 'ford'])).toMatchObject({ id: warmed['id'], plan: { plan: 'auto' } })
    expect(await json(['set', 'ford', '--plan', 'always', '--budget', '2'])).toMatchObject({
      keep_warm: { plan: 'always', budget_usd_per_day: 2 },
    })
    expect(await json(['pause', 'ford'])).toMatchObject({ plan: { stopped: { reason: 'plan_off' } } })
    expect(await json(['resume', 'ford', '--plan', 'always'])).toMatchObject({ plan: { stopped: null } })
    expect(await json(['ls'])).toMatchObject({ data: [{ name: 'ford' }] })
    expect(await json(['history', 'ford', '--limit', '1'])).toMatchObject({ data: [{ type: 'decision' }] })
    expect(await json(['ledger'])).toMatchObject({ totals: { calls: 1 } })
    expect(await json(['stats'])).toMatchObject({ totals: { requests: 0 } })
    expect(await json(['misses'])).toEqual({ data: [], next_cursor: null })
    expect((await pilotlight(['tail', 'ford', '--rounds', '1'])).out).toContain('written')
    expect((await pilotlight(['rm', 'ford'])).code).toBe(64)
    expect(await json(['rm', 'ford', '--yes'])).toEqual({ id: warmed['id'], deleted: true })
    expect((await pilotlight(['show', 'ford'])).code).toBe(65)
  })

  it('warms a crew', async () => {
    expect(await json(['preload', 'crew.json'])).toMatchObject({ status: 'skipped' })
  })

  it('makes, lists and revokes a key, and throws the kill switch', async () => {
    await json(['accounts', 'acme', '--add', '--budget', '20'])
    const made = await json(['keys', 'acme', '--add', '--access', 'read'])
    expect(made['key']).toMatch(/^plk_acme\.read_/)
    expect((await pilotlight(['ls'], { PILOTLIGHT_KEY: String(made['key']) })).code).toBe(0)
    expect((await pilotlight(['warm', 'body.json'], { PILOTLIGHT_KEY: String(made['key']) })).code).toBe(77)
    await json(['keys', 'acme', '--rm', String(made['id'])])
    expect(await json(['keys', 'acme'])).toMatchObject({ data: [{ id: made['id'], revoked_at: expect.any(String) }] })
    expect(await json(['kill', 'on', '--yes'])).toMatchObject({ on: true })
    expect((await pilotlight(['doctor'])).code).toBe(1)
    expect(await json(['kill', 'off'])).toMatchObject({ on: false })
  })

  it('is told what is wrong, with a code of its own', async () => {
    expect((await pilotlight(['ls'], { PILOTLIGHT_KEY: 'plk_wrong' })).code).toBe(77)
    expect((await pilotlight(['ls'], { PILOTLIGHT_URL: `http://127.0.0.1:${await freePort()}` })).code).toBe(69)
    expect((await pilotlight(['ls'], { PILOTLIGHT_URL: '' })).code).toBe(78)
    const { code, out, said } = await pilotlight(['api', 'GET', '/stats?by=week'])
    expect([code, out, said.includes('by')]).toEqual([65, '', true])
  })
})
