/** Calls through the gateway teach: what they name is registered by use, and what recurs becomes a candidate. Against the lab. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Anthropic from '@anthropic-ai/sdk'
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
  folder = await mkdtemp(join(tmpdir(), 'pilotlight-learned-'))
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

async function api<Answer>(method: string, path: string, body?: object): Promise<Answer> {
  const answer = await fetch(`${worker.base}${path}`, {
    method,
    headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  return (await answer.json()) as Answer
}

interface Listed {
  data: { id: string; name: string | null; hits: number; misses: number; signal: object | null }[]
}
interface Candidates {
  data: {
    id: string
    calls: number
    estimated_sessions: number
    estimated_tokens: number
    objections: string[]
    waiting_since: string | null
  }[]
  refused: { name: string | null; kind: string; field: string | null; message: string }[]
}

const named = async (name: string) => (await api<Listed>('GET', `/prefixes?name=${name}`)).data
const candidates = () => api<Candidates>('GET', '/candidates')
const long = (name: string): string => `${name}. ${'You answer questions about the river handbook. '.repeat(1_000)}`

/** Asks through the gateway as a client does. */
async function asked(system: string, question: string, headers: Record<string, string>) {
  const own = { 'x-pilotlight-key': KEY, ...headers }
  const anthropic = new Anthropic({ apiKey: 'lab', baseURL: `${worker.base}/via/anthropic`, defaultHeaders: own })
  const { data, response } = await anthropic.messages
    .create({
      model: 'claude-opus-4-8',
      max_tokens: 64,
      system: [{ type: 'text', text: system, cache_control: { type: 'ephemeral' } }],
      messages: [{ role: 'user', content: question }],
    })
    .withResponse()
  return { usage: data.usage, prefix: response.headers.get('x-pilotlight-prefix') }
}

describe('a call that names its prefix', () => {
  it('registers it without a call of ours, and the second one is a full hit that names it', async () => {
    const headers = { 'x-pilotlight-name': 'support-agent' }
    const first = await asked(long('Support'), 'Where is the ford?', headers)
    expect(first.usage.cache_creation_input_tokens).toBeGreaterThan(1_000)
    await expect.poll(() => named('support-agent'), PATIENT).toHaveLength(1)
    const [prefix] = await named('support-agent')
    const second = await asked(long('Support'), 'And the mill?', headers)
    expect(second.usage.cache_read_input_tokens).toBe(first.usage.cache_creation_input_tokens)
    expect(second.prefix).toBe(prefix?.id)
    await expect.poll(async () => (await named('support-agent'))[0], PATIENT).toMatchObject({ id: prefix?.id, hits: 1 })
    const { data } = await api<{ data: { type: string; decision?: string }[] }>(
      'GET',
      `/prefixes/${prefix?.id ?? ''}/history`,
    )
    expect(data.filter(({ decision }) => decision === 'registered_by_use')).toHaveLength(1)
    expect(data.filter(({ type }) => type === 'receipt')).toEqual([])
  })

  it('passes unharmed where its prefix holds a secret, and the account is told at which place', async () => {
    const system = `${long('Secret')} Use sk-ant-api03-${'aB3dE5fG7h'.repeat(8)} for it.`
    const { usage } = await asked(system, 'Where is the ford?', { 'x-pilotlight-name': 'leaky' })
    expect(usage.cache_creation_input_tokens).toBeGreaterThan(1_000)
    await expect.poll(async () => (await candidates()).refused, PATIENT).toHaveLength(1)
    const [refused] = (await candidates()).refused
    expect(refused).toMatchObject({ name: 'leaky', kind: 'invalid_request', field: expect.stringContaining('system') })
    expect(JSON.stringify(refused)).not.toContain('aB3dE5fG7h')
    expect(await named('leaky')).toEqual([])
  })
})

describe('a call of a child agent', () => {
  it('holds the prefix of the agent that waits for it, and that of nobody else', async () => {
    const lead = { 'x-pilotlight-name': 'lead', 'x-claude-code-session-id': 'session' }
    await asked(long('Lead'), 'Ask a helper?', lead)
    await expect.poll(() => named('lead'), PATIENT).toHaveLength(1)
    const signal = async () => (await named('lead'))[0]?.signal
    const child = { 'x-claude-code-session-id': 'session', 'x-claude-code-agent-id': 'helper' }
    await asked(long('Stranger'), 'Which way?', { ...child, 'x-claude-code-session-id': 'elsewhere' })
    expect(await signal()).toBeNull()
    await asked(long('Helper'), 'Which way?', child)
    await expect.poll(signal, PATIENT).toMatchObject({ kind: 'pending', child: true })
    await asked(long('Lead'), 'What did it say?', lead)
    await expect.poll(signal, PATIENT).toBeNull()
  })
})

describe('calls that name nothing', () => {
  it('become a candidate, and its next call is registered once that is asked for', async () => {
    const system = long('Habit')
    for (const session of ['one', 'two', 'three'])
      await asked(system, `Question of ${session}?`, { 'x-pilotlight-session': session })
    await asked(system, 'Not to be learned?', { 'x-pilotlight-session': 'four', 'x-pilotlight-learn': 'off' })
    const habit = async () => (await candidates()).data.find(({ calls }) => calls >= 3)
    await expect.poll(habit, PATIENT).toMatchObject({ calls: 3, estimated_sessions: 3, objections: ['no_saving'] })
    const id = (await habit())?.id ?? ''
    const wanted = await api<{ happens: string }>('POST', `/candidates/${id}/register`, { name: 'habit' })
    expect(wanted.happens).toContain('Nothing of the content is stored yet')
    expect(await named('habit')).toEqual([])
    let turn = 0
    const again = async () => {
      turn += 1
      await asked(system, `Question ${turn}?`, { 'x-pilotlight-session': `later ${turn}` })
      return named('habit')
    }
    await expect.poll(again, PATIENT).toHaveLength(1)
    expect((await candidates()).data.filter((one) => one.id === id)).toEqual([])
  })
})
