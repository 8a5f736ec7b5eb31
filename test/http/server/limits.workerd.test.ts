import { expect, it, vi } from 'vitest'
import { anthropicBody, get, newAccount, pick, post, useLab, warmOf } from '../support.ts'
import { ADMIN, call } from '../support.ts'

const world = useLab()

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
  'anthropic-ratelimit-requests-reset': new Date(Date.now() + 60_000).toISOString(),
})

async function tenant(): Promise<{ key: string }> {
  const account = await newAccount()
  const body = { provider: 'anthropic', secret: 'sk-ant-0123456789' }
  await call('PUT', `/accounts/${account.id}/credentials/team`, body, { key: ADMIN })
  return { key: account.key }
}

const warm = (who: { key: string }) =>
  post('/warm', warmOf(anthropicBody(), { credential: 'team', keep_warm: { plan: 'always' } }), who)

it('what the provider’s headers say of its limits holds warming back, in words and in the metrics', async () => {
  const who = await tenant()
  withHeaders(left(900))
  expect((await warm(who)).status).toBe(200)
  expect((await get('/metrics', who)).text).toContain('pilotlight_limit_remaining_ratio{provider="anthropic"} 1\n')
  withHeaders(left(20))
  expect((await warm(who)).status).toBe(200)
  const { text } = await get('/metrics', who)
  expect(text).toContain('pilotlight_limit_remaining_ratio{provider="anthropic"} 0.02\n')
  expect(text).toContain('pilotlight_breaker_open{provider="anthropic"} 0\n')
  const refused = await warm(who)
  expect(refused.status).toBe(503)
  expect(pick(refused, 'error', 'kind')).toBe('provider_limited')
  expect(pick(refused, 'error', 'message')).toMatch(/20 of 1000 requests .*left to the application/)
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(50)
  expect(world.lab.transcript.list()).toHaveLength(2)
})
