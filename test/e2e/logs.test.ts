import { readFile, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { runLab } from '../lab/running.ts'
import type { RunningLab } from '../lab/running.ts'
import { caller, freePort, runWorker } from './running.ts'
import type { Running } from './running.ts'

const TENANT = 'tenant-orchid-lab'
const MARK = 'violet heron 7731'
const SECRET = 'sk-ant-api03-0123456789abcdef'

const bodyOf = (text: string) => ({
  model: 'claude-opus-4-8',
  max_tokens: 64,
  system: [{ type: 'text', text, cache_control: { type: 'ephemeral' } }],
  messages: [{ role: 'user', content: 'Who waits?' }],
})

let lab: RunningLab
let worker: Running
let folder: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pilotlight-logs-'))
  lab = await runLab({ vars: { LAB_LATENCY: 'off' } })
  const vars = {
    ENVIRONMENT: 'development',
    ADMIN_KEY: 'pilotlight-admin',
    DEV_ACCOUNT_KEY: 'pilotlight-dev',
    KEY_ENCRYPTION_SECRET: 'pilotlight-seal-of-tests',
    LAB_URL: lab.url,
    LAB_PROVIDERS: 'anthropic',
  }
  worker = await runWorker({ persist: folder, port: await freePort(), vars, logs: join(folder, 'logs') })
})

afterAll(async () => {
  await worker.kill()
  await lab.stop()
  await rm(folder, { recursive: true, force: true })
})

/** Everything that the runtime and its tools wrote. */
async function written(): Promise<string> {
  const files = await readdir(join(folder, 'logs'), { recursive: true, withFileTypes: true }).catch(() => [])
  const texts = files.filter((file) => file.isFile()).map((file) => readFile(join(file.parentPath, file.name), 'utf8'))
  return [worker.said(), ...(await Promise.all(texts))].join('\n')
}

it('nothing that is logged names a tenant, a key or a prompt, and nothing is uncaught', async () => {
  const admin = caller(worker.base, 'pilotlight-admin')
  await admin('POST', '/accounts', { id: TENANT, budget_usd_per_day: 1 })
  await admin('POST', '/accounts', { id: TENANT })
  const { body: made } = await admin<{ key: string }>('POST', `/accounts/${TENANT}/keys`)
  await admin('PUT', `/accounts/${TENANT}/credentials/team`, { provider: 'anthropic', secret: SECRET })
  const tenant = caller(worker.base, made.key)
  const request = bodyOf(`${MARK}. ${'The heron waits by the pond for the frogs. '.repeat(300)}`)
  const wish = { provider: 'anthropic', request, credential: 'team', name: MARK.replaceAll(' ', '-') }
  const { body: warmed } = await tenant<{ id: string }>('POST', '/warm', wish)
  expect(warmed).toMatchObject({ id: expect.stringMatching(/^pfx_/) as unknown })

  const nobody = 'pfx_0000000000000000'
  const answers = [
    // What is not there.
    ...['', '/warmth', '/history', '/request'].map((path) => tenant('GET', `/prefixes/${nobody}${path}`)),
    tenant('DELETE', `/prefixes/${nobody}`),
    tenant('PATCH', `/prefixes/${nobody}`, { name: 'x' }),
    ...['warm', 'lease', 'preview', 'signals', 'announce'].map((verb) =>
      tenant('POST', `/prefixes/${nobody}/${verb}`, {}),
    ),
    ...['/jobs/job_0', '/bots/bot_0', '/caches/cch_0', '/gateways/none', '/nowhere'].map((path) => tenant('GET', path)),
    tenant('POST', '/bots/bot_0/messages', { text: MARK }),
    tenant('POST', '/bots/bot_0/cancel', {}),
    // What is refused.
    tenant('POST', '/warm', {
      ...wish,
      keep_warm: { budget_usd_per_day: 0.000001 },
      request: bodyOf(`${MARK} once more. ${'A frog. '.repeat(4_000)}`),
    }),
    tenant('POST', '/warm', { ...wish, credential: 'other' }),
    tenant('POST', '/warm', `{"provider":"anthropic","request":{"${MARK}":1,"${MARK}":2}}`),
    tenant('POST', '/warm', { provider: MARK, request }),
    tenant('POST', '/caches', { provider: 'gemini', model: 'gemini-3.5-flash', contents: [{ text: MARK }] }),
    tenant('POST', '/observations', [{ prefix_id: nobody, usage: { input_tokens: -1 }, started_at: 1 }]),
    tenant('POST', '/bots', { provider: 'anthropic', model: 'claude-opus-4-8', system: MARK, credential: 'gone' }),
    // Keys that are none, or another's.
    caller(worker.base, `${made.key.slice(0, -1)}x`)('GET', '/prefixes'),
    caller(worker.base, `plk_${TENANT}_000000000000_${'0'.repeat(72)}`)('GET', '/prefixes'),
    tenant('GET', '/accounts'),
    admin('POST', `/accounts/${TENANT}/keys`, { expires_in: '-1s' }),
    admin('GET', `/accounts/${TENANT}-other`),
    admin('DELETE', `/accounts/${TENANT}/keys/000000000000`),
    admin('DELETE', `/accounts/${TENANT}/credentials/none`),
  ]
  const statuses = (await Promise.all(answers)).map(({ status }) => status)
  expect(statuses.filter((status) => status < 400 || status >= 500)).toEqual([])

  // A provider that fails, and an account that is deleted while its key is still believed.
  await fetch(`${lab.url}/_lab/faults`, {
    method: 'POST',
    body: JSON.stringify({ provider: 'anthropic', kind: 'overloaded', times: 1 }),
  })
  await tenant('POST', `/prefixes/${warmed.id}/warm`)
  expect((await admin('DELETE', `/accounts/${TENANT}`)).status).toBe(200)
  await Promise.all([
    tenant('GET', `/prefixes/${warmed.id}`),
    tenant('POST', '/warm', wish),
    tenant('GET', '/prefixes'),
  ])

  const log = await written()
  expect(log.length).toBeGreaterThan(0)
  const lines = log.split('\n')
  const told = [TENANT, MARK, MARK.replaceAll(' ', '-'), SECRET, made.key.slice(-72), warmed.id, 'Uncaught', 'uncaught']
  const found = told.map((word) => [word, lines.filter((line) => line.includes(word))])
  expect(found).toEqual(told.map((word) => [word, []]))
})
