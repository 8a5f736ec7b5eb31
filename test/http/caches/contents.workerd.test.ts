import { describe, expect, it } from 'vitest'
import { cacheMade } from '../../../src/contract/caches.ts'
import { longText, pick, post, received, useLab } from '../support.ts'
import { MODEL, providerOf } from './support.ts'

const world = useLab()
const { calls, use } = providerOf(world)

const neutral = (more: Record<string, unknown> = {}): Record<string, unknown> => ({
  provider: 'gemini',
  model: MODEL,
  system: longText(),
  tools: [{ name: 'stock', description: 'How many are left.', parameters: { type: 'object', properties: {} } }],
  messages: [
    { role: 'user', content: 'A catalogue.' },
    { role: 'assistant', content: 'Understood.' },
  ],
  ttl: '10m',
  ...more,
})

describe('a managed cache in the neutral form', () => {
  it('is written in the form of the provider, and its handle works', async () => {
    const body = neutral()
    const answer = await post('/caches', body)
    expect([answer.status, cacheMade.parse(answer.json).state]).toEqual([201, 'live'])
    expect(JSON.parse(calls('POST')[0]?.body ?? '')).toMatchObject({
      model: `models/${MODEL}`,
      ttl: '600s',
      systemInstruction: { parts: [{ text: body['system'] }] },
      tools: [{ functionDeclarations: [{ name: 'stock', parametersJsonSchema: { type: 'object', properties: {} } }] }],
      contents: [
        { role: 'user', parts: [{ text: 'A catalogue.' }] },
        { role: 'model', parts: [{ text: 'Understood.' }] },
      ],
    })
    expect(await use(pick(answer, 'handle'))).toBe(200)
  })

  it('is the same cache as its native form', async () => {
    const system = longText()
    const first = await post('/caches', neutral({ system, tools: undefined, messages: undefined }))
    const request = { systemInstruction: { parts: [{ text: system }] } }
    const second = await post('/caches', { provider: 'gemini', model: MODEL, request })
    expect([second.status, pick(second, 'id')]).toEqual([200, pick(first, 'id')])
    expect(calls('POST')).toHaveLength(1)
  })

  it.each([
    ['beside request', { request: { contents: [] } }, 'system'],
    ['without a model', { model: undefined }, 'model'],
    ['with a model that is no name', { model: 'a?b' }, 'model'],
    ['with nothing at all', { system: undefined, tools: undefined, messages: undefined }, 'request'],
    ['with empty parts alone', { system: ' ', tools: [], messages: [] }, 'system'],
    ['with a role that no provider has', { messages: [{ role: 'tool', content: 'x' }] }, 'messages[0].role'],
    ['with content that is not text', { messages: [{ role: 'user', content: [1] }] }, 'messages[0].content'],
    ['with a ttl of a second', { ttl: 1 }, 'ttl'],
  ])('%s is refused by the name of the field, and nothing is sent', async (_how, more, field) => {
    const answer = await post('/caches', neutral(more))
    expect([answer.status, pick(answer, 'error', 'detail', 'field')]).toEqual([400, field])
    expect(received(world.lab)).toEqual([])
  })

  it('is unsupported where there are no managed caches', async () => {
    const answer = await post('/caches', neutral({ provider: 'anthropic', model: 'claude-opus-5' }))
    expect([answer.status, pick(answer, 'error', 'kind')]).toEqual([422, 'unsupported'])
  })
})

describe('lint of contents', () => {
  const secret = 'Use the key ghp_a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8 of the shop.'
  const native = (text: string) => ({
    provider: 'gemini',
    model: MODEL,
    request: { systemInstruction: { parts: [{ text: `${text} ${longText()}` }] } },
  })

  it.each([
    ['the neutral form', (text: string) => neutral({ system: `${text} ${longText()}` }), '/system'],
    ['the native form', native, '/request/systemInstruction/parts/0/text'],
  ])('refuses secrets in %s, unless the caller allows them', async (_form, body, field) => {
    const refused = await post('/caches', body(secret))
    expect([refused.status, pick(refused, 'error', 'detail', 'field')]).toEqual([400, field])
    expect(refused.text).not.toContain('ghp_')
    expect(calls('POST')).toEqual([])
    const allowed = await post('/caches', { ...body(secret), lint: 'advice' })
    expect([allowed.status, cacheMade.parse(allowed.json).advice]).toEqual([
      201,
      expect.arrayContaining([expect.objectContaining({ cause: 'secret', at: field })]),
    ])
  })

  it('lists what else makes requests miss, or refuses it, as the caller asks', async () => {
    const body = native('It is 2026-11-30T10:41:07Z now.')
    expect((await post('/caches', { ...body, lint: 'error' })).status).toBe(400)
    expect(calls('POST')).toEqual([])
    const listed = await post('/caches', body)
    expect([listed.status, pick(listed, 'advice', 0, 'severity')]).toEqual([201, 'warning'])
    expect((await post('/caches', { ...body, lint: 'off' })).json).not.toHaveProperty('advice')
  })
})
