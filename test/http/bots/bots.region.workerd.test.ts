import { tracing } from 'cloudflare:workers'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { botAnswer } from '../../../src/contract/bot.ts'
import { serviceAccountKey } from '../../support/service-account.ts'
import { spanRecorder } from '../../support/spans.ts'
import { anthropic, begin, say } from './support.ts'
import { ADMIN, call, get, longText, newAccount, pick, post, received, useLab } from '../support.ts'

const world = useLab()
const admin = { key: ADMIN }

afterEach(() => {
  vi.restoreAllMocks()
})

describe('the region of a bot', () => {
  const put = (region: string) =>
    call(
      'PUT',
      '/accounts/dev/credentials/abroad',
      { provider: 'bedrock-openai', secret: 'a-key-of-another-country', region },
      admin,
    )
  const body = { provider: 'bedrock-openai', model: 'openai.gpt-5.6-sol', credential: 'abroad', allow_unpriced: true }

  it('is that of its credential where it names none, and is where its calls go', async () => {
    await begin() // the account begins with what it stores first
    const stored = await put('eu-central-1')
    expect([stored.status, stored.text]).toEqual([201, expect.any(String)])
    const urls: string[] = []
    vi.mocked(globalThis.fetch).mockImplementation(async (input) => {
      urls.push(new URL(String(input instanceof Request ? input.url : input)).host)
      return Response.json({ error: { message: 'no', type: 'x', code: 'x', param: null } }, { status: 400 })
    })
    const id = await begin({ ...body, system_prompt: 'You sell tents.' })
    expect(botAnswer.parse((await get(`/bots/${id}`)).json).region).toBe('eu-central-1')
    await say(id, 'Which tent?')
    expect(urls).toEqual(['bedrock-mantle.eu-central-1.api.aws'])
    // Its key was stored for that host alone.
    const elsewhere = await post('/bots', { ...body, region: 'us-west-2', system_prompt: 'You sell tents.' })
    expect(pick(elsewhere, 'error', 'kind')).toBe('provider_key_refused')
    await call('DELETE', '/accounts/dev/credentials/abroad', undefined, admin)
  })

  it('is part of the prefix that the planner keeps for it', async () => {
    const id = await begin({
      provider: 'bedrock',
      model: 'anthropic.claude-sonnet-4-5',
      system_prompt: longText(),
      region: 'eu-west-1',
      history_tokens: 50_000,
    })
    await say(id, 'Which tent?')
    await vi.waitFor(async () => {
      expect(pick(await get(`/prefixes?name=${id}`), 'data')).toMatchObject([{ region: 'eu-west-1' }])
    }, 30_000)
  })

  it('is refused where the address of the provider holds none, and where it is no region', async () => {
    for (const [given, region] of [
      [anthropic, 'eu'],
      [{ ...anthropic, provider: 'bedrock' }, 'evil.example/'],
    ] as const) {
      const answer = await post('/bots', { ...given, region })
      expect([answer.status, pick(answer, 'error', 'detail', 'field')]).toEqual([400, 'region'])
    }
  })
})

it('a bot with a service-account key is answered, and the key itself is sent nowhere', async () => {
  const { id: account, key } = await newAccount()
  const own = serviceAccountKey()
  world.lab.addServiceAccount(own.email, own.publicKey)
  await call('PUT', `/accounts/${account}/credentials/team`, { provider: 'vertex', secret: own.file }, admin)
  const given = { provider: 'vertex', model: 'gemini-2.5-flash', credential: 'team', system_prompt: 'You sell tents.' }
  const id = pick(await post('/bots', given, { key }), 'id') as string
  await post(`/bots/${id}/messages`, { text: 'Which tent?' }, { key })
  await vi.waitFor(async () => {
    expect(pick(await get(`/bots/${id}`, { key }), 'usage', 'turns')).toBe(1)
  }, 60_000)
  expect(JSON.stringify(received(world.lab))).not.toContain('PRIVATE')
})

describe('lint of a bot', () => {
  const secret = 'You sell tents. The key of the shop is ghp_a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8.'
  const clock = 'You sell tents. It is 2026-11-30T10:41:07Z now.'

  it('refuses a secret in the system prompt or a tool, unless the caller allows it', async () => {
    const tools = [{ name: 'stock', description: secret, url: 'https://tools.example/stock' }]
    for (const [given, field] of [
      [{ system_prompt: secret }, '/system_prompt'],
      [{ system_prompt: 'You sell tents.', tools }, '/tools/0/description'],
    ] as const) {
      const refused = await post('/bots', { ...anthropic, ...given })
      expect([refused.status, pick(refused, 'error', 'detail', 'field')]).toEqual([400, field])
      expect([pick(refused, 'error', 'detail', 'cause'), refused.text.includes('ghp_')]).toEqual(['secret', false])
      const allowed = await post('/bots', { ...anthropic, ...given, lint: 'advice' })
      expect([allowed.status, botAnswer.parse(allowed.json).advice]).toEqual([
        201,
        [expect.objectContaining({ cause: 'secret', at: field, severity: 'warning' })],
      ])
    }
  })

  it('follows the setting of the account, which a caller may only make stricter', async () => {
    const { id, key } = await newAccount()
    await call('PATCH', `/accounts/${id}`, { allowed_secrets: ['ANTHROPIC_API_KEY'] }, admin)
    const made = (more: object) => post('/bots', { ...anthropic, system_prompt: clock, ...more }, { key })
    expect(pick(await made({}), 'advice', 0, 'at')).toBe('/system_prompt')
    expect((await made({ lint: 'off' })).json).not.toHaveProperty('advice')
    expect((await made({ lint: 'error' })).status).toBe(400)
    await call('PATCH', `/accounts/${id}`, { lint: 'refuse' }, admin)
    await vi.waitFor(async () => expect((await made({ lint: 'off' })).status).toBe(400), 30_000)
    expect((await made({ system_prompt: 'You sell tents.' })).status).toBe(201)
  })
})

it('calls of a bot are spans without prompt, key, account or id', async () => {
  const { tracer, spans } = spanRecorder()
  vi.spyOn(tracing, 'enterSpan').mockImplementation(tracer.enterSpan as typeof tracing.enterSpan)
  const id = await begin({ ...anthropic, cache: { mode: 'best_effort', key: 'tenant-acme' } })
  await say(id, 'Which tent for two?')
  world.lab.faults.add({ kind: 'insufficient_quota', times: 1 })
  await say(id, 'And which stove?')
  const own = spans.filter(({ attributes }) => attributes['pilotlight.warm'] === false)
  // What is refused for now is sent again.
  expect(own.slice(0, 2)).toMatchObject([
    {
      name: 'chat claude-opus-5',
      attributes: {
        'gen_ai.provider.name': 'anthropic',
        'gen_ai.request.model': 'claude-opus-5',
        'pilotlight.purpose': 'answer',
        'gen_ai.usage.input_tokens': expect.any(Number),
        'gen_ai.usage.cache_creation.input_tokens': expect.any(Number),
      },
    },
    { attributes: { 'error.type': expect.any(String) } },
  ])
  const told = JSON.stringify(spans)
  for (const private_ of [id, id.slice(4), 'Which', 'stove', 'acme', '"lab"', '"dev"'])
    expect(told).not.toContain(private_)
})
