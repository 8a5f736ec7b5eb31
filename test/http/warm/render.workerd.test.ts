import { describe, expect, it } from 'vitest'
import { anthropicBody, get, longText, pick, post, received, useLab, warmOf } from '../support.ts'
import { renderAnswer } from '../../../src/contract/warm.ts'

const world = useLab()

describe('POST /render', () => {
  it('shows the very bytes that a warm of the same body sends, and sends nothing itself', async () => {
    const form = {
      provider: 'anthropic',
      model: 'claude-opus-5',
      system: `You serve {{ tenant }}.\n${longText()}`,
      tools: [{ name: 'find' }, { name: 'write' }],
      vars: { tenant: 'acme' },
      tool_filter: { deny: ['write'] },
    }
    const shown = await post('/render', form)
    expect(shown.status).toBe(200)
    expect(() => renderAnswer.parse(shown.json)).not.toThrow()
    expect(received(world.lab)).toEqual([])
    expect(pick(await get('/prefixes?limit=100'), 'data')).not.toContainEqual(
      expect.objectContaining({ fingerprint: shown.json['fingerprint'] }),
    )
    const { byte } = shown.json['prefix_ends_at'] as { byte: number }
    const before = new TextDecoder().decode(new TextEncoder().encode(String(shown.json['body'])).slice(0, byte))
    expect(before.endsWith('"cache_control":{"type":"ephemeral","ttl":"1h"}}')).toBe(true)

    const warmed = await post('/warm', form)
    expect(received(world.lab)[0]?.body).toBe(pick(shown, 'probe', 'body'))
    expect(pick(await get(`/prefixes/${pick(warmed, 'id')}/request`), 'sha256')).toBe(shown.json['sha256'])
    expect(warmed.json['fingerprint']).toBe(shown.json['fingerprint'])
  })

  it('shows a prefix that is too short to be warmed, and says so', async () => {
    const shown = await post('/render', { provider: 'anthropic', model: 'claude-opus-4-8', system: 'Be kind.' })
    expect(shown.json).toMatchObject({ minimum_tokens: 1024, advice: [{ cause: 'below_minimum', at: '/system' }] })
  })
})

describe('lint at registration', () => {
  const secret = `sk-ant-api03-${'aB3dE5fG7h'.repeat(4)}`
  const body = () => anthropicBody(`Key: ${secret}\nToday is 2026-11-21.\n${longText()}`)

  it('says what it finds, where, and how to mend it; the prefix keeps it, without the secret', async () => {
    const warmed = await post('/warm', warmOf(body()))
    const advice = warmed.json['advice'] as { cause: string }[]
    expect(advice.filter(({ cause }) => cause === 'secret' || cause === 'date')).toMatchObject([
      {
        cause: 'secret',
        at: '/request/system/0/text',
        line: 1,
        column: 6,
        severity: 'warning',
        fix: expect.any(String),
      },
      {
        cause: 'date',
        at: '/request/system/0/text',
        line: 2,
        column: 10,
        severity: 'warning',
        fix: expect.any(String),
      },
    ])
    expect(warmed.text).not.toContain(secret)
    const kept = await get(`/prefixes/${pick(warmed, 'id')}`)
    expect(pick(kept, 'advice')).toEqual(advice)
  })

  it('refuses it where that is wanted, before anything is sent, with every place named', async () => {
    const refused = await post('/warm', warmOf(body(), { lint: 'error' }))
    expect(refused.status).toBe(400)
    expect(refused.json).toMatchObject({
      error: { kind: 'invalid_request', detail: { cause: 'secret', field: '/request/system/0/text' } },
    })
    expect(pick(refused, 'error', 'detail', 'findings')).toContain('date /request/system/0/text line 2')
    expect(refused.text).not.toContain(secret)
    expect(received(world.lab)).toEqual([])
  })

  it('is silent where that is wanted, and refuses no hint', async () => {
    expect(pick(await post('/warm', warmOf(body(), { lint: 'off' })), 'advice')).toEqual([])
    const tools = ['find', 'book'].map((name) => ({ name, input_schema: { type: 'object' } }))
    const rules = 'You answer questions about tents, stoves and sleeping mats.\n'.repeat(200)
    const hinted = await post('/warm', warmOf({ ...anthropicBody(rules), tools }, { lint: 'error' }))
    expect(hinted.json).toMatchObject({ receipt: { kind: 'written' }, advice: [{ cause: 'unstable_tool_order' }] })
  })

  it('refuses a body whose real requests cannot read what is written', async () => {
    const { system: _, ...rest } = anthropicBody()
    const refused = await post('/warm', warmOf({ ...rest, system: 'You know tents.\n'.repeat(900) }, { lint: 'error' }))
    expect(pick(refused, 'error', 'detail', 'cause')).toBe('no_marker')
  })
})
