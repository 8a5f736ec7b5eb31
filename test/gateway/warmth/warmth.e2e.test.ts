/** Answers say how warm their prefix is and what the next request costs, in workerd alone and against the lab. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { runLab } from '../../lab/running.ts'
import type { RunningLab } from '../../lab/running.ts'
import { rawWorkerd } from '../../support/raw-workerd.ts'
import type { RawWorkerd } from '../../support/raw-workerd.ts'

const KEY = 'pilotlight-dev'
const MINUTE_MS = 60_000

let lab: RunningLab
let worker: RawWorkerd

beforeAll(async () => {
  lab = await runLab()
  worker = await rawWorkerd({
    ENVIRONMENT: 'development',
    ADMIN_KEY: 'pilotlight-admin',
    DEV_ACCOUNT_KEY: KEY,
    KEY_ENCRYPTION_SECRET: 'pilotlight-seal-of-tests',
    LAB_URL: lab.url,
    LAB_PROVIDERS: 'anthropic',
  })
})

afterAll(async () => {
  await worker?.stop()
  await lab?.stop()
})

const long = (name: string): string => `${name}. ${'You answer questions about the tide tables. '.repeat(1_000)}`

function messages(system: string, question: string, isMarked = true) {
  const marker = isMarked ? { cache_control: { type: 'ephemeral' } } : {}
  return {
    model: 'claude-opus-4-8',
    max_tokens: 16,
    system: [{ type: 'text', text: system, ...marker }],
    messages: [{ role: 'user', content: question }],
  }
}

async function api<Answer>(method: string, path: string, body?: unknown): Promise<Answer> {
  const answer = await fetch(worker.base + path, {
    method,
    headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  return (await answer.json()) as Answer
}

/** Registers a prefix and warms it, and returns its id. */
async function warmed(system: string): Promise<string> {
  const body = { provider: 'anthropic', request: messages(system, '.'), keep_warm: { plan: 'off' } }
  const { id, receipt } = await api<{ id: string; receipt: { kind: string } }>('POST', '/warm', body)
  if (receipt.kind !== 'written') throw new Error(`not written: ${receipt.kind}`)
  return id
}

interface Header {
  status: number
  prefix: string | null
  text: string | null
  state: string
  until: number
  next: number
  cold: number
}

async function called(body: object): Promise<Header> {
  const answer = await fetch(`${worker.base}/via/anthropic/v1/messages`, {
    method: 'POST',
    headers: {
      'x-pilotlight-key': KEY,
      'x-api-key': 'lab',
      'anthropic-version': '2023-06-01',
      'content-type': 'application/json',
    },
    body: JSON.stringify(body),
  })
  await answer.arrayBuffer()
  const text = answer.headers.get('x-pilotlight-warmth')
  const [state = '', ...rest] = (text ?? '').split('; ')
  const of = Object.fromEntries(rest.map((part) => part.split('=') as [string, string]))
  return {
    status: answer.status,
    prefix: answer.headers.get('x-pilotlight-prefix'),
    text,
    state,
    until: Date.parse(of['until'] ?? ''),
    next: Number(of['next_usd']),
    cold: Number(of['cold_usd']),
  }
}

interface Told {
  warm_until: string
  next_request: { tokens_counted: boolean; cost_usd: number; if_warm_usd: number; if_cold_usd: number }
}

describe('the header of an answer', () => {
  test('says until when its prefix is warm, and what the next request costs, as the API does', async () => {
    const id = await warmed(long('Neap'))
    const before = await api<Told>('GET', `/prefixes/${id}/warmth`)
    const startedAt = Date.now()
    const header = await called(messages(long('Neap'), 'When?'))
    expect(header).toMatchObject({ status: 200, prefix: id, state: 'warm' })
    expect(header.text).toMatch(/^warm; until=\d{4}-\d\d-\d\dT[\d:.]+Z; next_usd=[\d.e-]+; cold_usd=[\d.e-]+$/)
    // Counted from the start of this very call, and not of the one that the account knows.
    expect(header.until).toBeGreaterThanOrEqual(startedAt + 5 * MINUTE_MS)
    expect(header.until).toBeLessThan(Date.now() + 5 * MINUTE_MS)
    expect(header.until).toBeGreaterThan(Date.parse(before.warm_until))
    const { if_cold_usd, if_warm_usd } = before.next_request
    expect(header.cold / if_cold_usd).toBeCloseTo(1, 3)
    expect(header.next).toBeGreaterThanOrEqual(if_warm_usd * 0.999)
    expect(header.next).toBeLessThan(if_cold_usd / 5)
  })

  test('leaves the end of warmth as it was after a call that reads nothing', async () => {
    const id = await warmed(long('Spring'))
    const { warm_until } = await api<Told>('GET', `/prefixes/${id}/warmth`)
    await expect
      .poll(async () => (await called(messages(long('Spring'), 'When?', false))).text, {
        timeout: 10_000,
        interval: 300,
      })
      .toContain(`until=${warm_until}; `)
  })

  test('is absent where no prefix is registered, and from what the provider refuses', async () => {
    await warmed(long('Ebb'))
    await expect
      .poll(async () => (await called(messages(long('Ebb'), 'When?'))).state, { timeout: 10_000, interval: 300 })
      .toBe('warm')
    expect(await called(messages(long('Slack'), 'When?'))).toMatchObject({ status: 200, text: null, prefix: null })
    expect(await called({ ...messages(long('Ebb'), 'When?'), max_tokens: -1 })).toMatchObject({
      status: 400,
      text: null,
    })
  })
})
