import { createExecutionContext, waitOnExecutionContext } from 'cloudflare:test'
import { describe, expect, it, vi } from 'vitest'
import { errorAnswer } from '../../../src/contract/failure-answer.ts'
import { healthAnswer } from '../../../src/contract/values.ts'
import { app } from '../../../src/http/app.ts'
import {
  ADMIN,
  anthropicBody,
  bindings,
  call,
  get,
  newAccount,
  pick,
  post,
  received,
  useLab,
  warm,
  warmedId,
} from '../support.ts'

const world = useLab()

it('GET /health answers without a key, as its schema says', async () => {
  const health = await get('/health', { key: null })
  expect(healthAnswer.parse(health.json)).toMatchObject({ status: 'ok', clock_rate: 1, development: true })
})

/** Every answer of the lab carries these headers, as the provider's own answers do. */
function withHeaders(headers: Record<string, string>): void {
  vi.spyOn(globalThis, 'fetch').mockImplementation(async (input, init) => {
    const answer = await world.lab.fetch(new Request(input, init))
    const answered = new Response(answer.body, answer)
    for (const [name, value] of Object.entries(headers)) answered.headers.set(name, value)
    return answered
  })
}

const left = (remaining: number) => ({
  'anthropic-ratelimit-requests-limit': '1000',
  'anthropic-ratelimit-requests-remaining': String(remaining),
  'anthropic-ratelimit-requests-reset': new Date(Date.now() + 3_600_000).toISOString(),
})

async function tenant(): Promise<{ key: string }> {
  const account = await newAccount()
  const body = { provider: 'anthropic', secret: 'sk-ant-0123456789' }
  await call('PUT', `/accounts/${account.id}/credentials/team`, body, { key: ADMIN })
  return { key: account.key }
}

const warmFor = (who: { key: string }) =>
  warm(anthropicBody(), { credential: 'team', keep_warm: { plan: 'always' } }, who)

describe('GET /metrics', () => {
  it('counts calls and receipts by kind, and names no account, prefix or key', async () => {
    const { id: account, key } = await newAccount()
    const id = await warmedId(anthropicBody(), { name: 'a-name' }, { key })
    await post(`/prefixes/${id}/warm`, {}, { key })
    const { text, headers } = await get('/metrics', { key })
    expect(headers.get('content-type')).toContain('text/plain')
    expect(text).toContain('pilotlight_calls_total 2\n')
    expect(text).toContain('pilotlight_receipts_total{kind="written"} 1\n')
    expect(text).toContain('pilotlight_receipts_total{kind="full"} 1\n')
    for (const secret of [account, id, 'a-name', key]) expect(text).not.toContain(secret)
  })

  it('shows the rate limits that a provider’s headers report, and warms stop below them', async () => {
    const who = await tenant()
    withHeaders(left(900))
    expect((await warmFor(who)).status).toBe(200)
    expect((await get('/metrics', who)).text).toContain('pilotlight_limit_remaining_ratio{provider="anthropic"} 1\n')
    withHeaders(left(20))
    expect((await warmFor(who)).status).toBe(200)
    const { text } = await get('/metrics', who)
    expect(text).toContain('pilotlight_limit_remaining_ratio{provider="anthropic"} 0.02\n')
    expect(text).toContain('pilotlight_breaker_open{provider="anthropic"} 0\n')
    const refused = await warmFor(who)
    expect(refused.status).toBe(503)
    expect(pick(refused, 'error', 'kind')).toBe('provider_limited')
    expect(pick(refused, 'error', 'message')).toMatch(/20 of 1000 requests .*real requests need them/)
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(60)
    expect(received(world.lab)).toHaveLength(2)
  })
})

describe('a deployment without its secrets', () => {
  const ask = async (path: string, change: Record<string, unknown>): Promise<Response> => {
    const context = createExecutionContext()
    const env = { ...bindings, ENVIRONMENT: 'production', ...change }
    const answer = await app.fetch(
      new Request(`http://pilotlight.test${path}`, { headers: { authorization: 'Bearer pilotlight-dev' } }),
      env,
      context,
    )
    await waitOnExecutionContext(context)
    return answer
  }

  it('answers 503 and names them, on every route but the dashboard and the health', async () => {
    for (const path of ['/prefixes', '/warm', '/openapi.json', '/nothing']) {
      const answer = await ask(path, { ADMIN_KEY: '' })
      expect([path, answer.status]).toEqual([path, 503])
      expect(errorAnswer.parse(await answer.json())).toMatchObject({
        error: { kind: 'not_configured', detail: { missing: ['ADMIN_KEY'] } },
      })
    }
    expect(await (await ask('/health', { ADMIN_KEY: '' })).json()).toMatchObject({
      status: 'not_configured',
      development: false,
    })
    expect((await ask('/', { ADMIN_KEY: '' })).status).toBe(200)
  })

  it('takes no development key, and no short administrator’s key', async () => {
    expect((await ask('/prefixes', { ADMIN_KEY: 'x'.repeat(24) })).status).toBe(401)
    expect((await ask('/prefixes', { ADMIN_KEY: 'short' })).status).toBe(503)
  })
})
