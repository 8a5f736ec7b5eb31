import { describe, expect, it } from 'vitest'
import { at, caller, START_AT, tokens } from './caller.ts'
import type { Caller, Json, Reply } from './caller.ts'
import { HOUR_MS, MINUTE_MS } from './time.ts'

const MODEL = 'gemini-2.5-flash'
const system = (count: number): Json => ({ parts: [{ text: tokens(count) }] })
const contents = (text: string): Json[] => [{ role: 'user', parts: [{ text }] }]

function generate(lab: Caller, body: Json, model = MODEL, version = 'v1beta', key = 'key-a'): Promise<Reply> {
  return lab.gemini(`${version}/models/${model}:generateContent`, body, { key })
}

function createCache(lab: Caller, body: Json = {}, key = 'key-a'): Promise<Reply> {
  const full = { model: `models/${MODEL}`, systemInstruction: system(3000), displayName: 'docs', ...body }
  return lab.gemini('v1beta/cachedContents', full, { key })
}

function iso(afterMs: number): string {
  return new Date(START_AT + afterMs).toISOString()
}

describe('implicit caching of Gemini', () => {
  it('reads a shared beginning in steps; leaves the count out when nothing was read', async () => {
    const lab = caller()
    const first = await generate(lab, { systemInstruction: system(4000), contents: contents('one') })
    expect(first.json).toMatchObject({ usageMetadata: { promptTokenCount: 4001 } })
    expect(at(first.json, 'usageMetadata')).not.toHaveProperty('cachedContentTokenCount')
    const second = await generate(lab, { systemInstruction: system(4000), contents: contents('two') }, MODEL, 'v1')
    expect(at(second.json, 'usageMetadata.cachedContentTokenCount')).toBe(3840)
    expect(at(second.json, 'usageMetadata.promptTokenCount')).toBe(4001)
  })

  it.each([
    [MODEL, 2048],
    ['gemini-3.1-pro', 4096],
    ['gemini-3.8-flash', 4096],
  ])('starts on %s at %i tokens', async (model, min) => {
    const lab = caller()
    for (const [count, cached] of [
      [min - 10, undefined],
      [min, min],
    ] as const) {
      const body = { systemInstruction: system(count), contents: contents('x') }
      await generate(lab, body, model)
      const { json } = await generate(lab, body, model)
      expect(at(json, 'usageMetadata.cachedContentTokenCount')).toBe(cached)
    }
  })

  it('stops at one token, which thinking uses up', async () => {
    const lab = caller()
    const body = { contents: contents('x'), generationConfig: { maxOutputTokens: 1 } }
    const { json } = await generate(lab, body)
    expect(at(json, 'candidates.0')).toEqual({ content: { role: 'model' }, finishReason: 'MAX_TOKENS', index: 0 })
    expect(at(json, 'usageMetadata.thoughtsTokenCount')).toBe(1)
  })
})

describe('cachedContents', () => {
  it('can be created, read, listed, prolonged and deleted; contents do not come back', async () => {
    const lab = caller()
    const { status, json } = await createCache(lab)
    expect(status).toBe(200)
    expect(json).toEqual({
      name: expect.stringMatching(/^cachedContents\//),
      model: `models/${MODEL}`,
      displayName: 'docs',
      createTime: iso(0),
      updateTime: iso(0),
      expireTime: iso(HOUR_MS),
      usageMetadata: { totalTokenCount: 3000 },
    })
    const path = `v1beta/${String(json['name'])}`
    lab.advance(MINUTE_MS)
    const patched = await lab.gemini(`${path}?updateMask=ttl`, { ttl: '7200s' }, { method: 'PATCH' })
    expect(patched.json).toMatchObject({ expireTime: iso(MINUTE_MS + 2 * HOUR_MS), updateTime: iso(MINUTE_MS) })
    const exact = await lab.gemini(path, { expireTime: iso(3 * HOUR_MS) }, { method: 'PATCH' })
    expect(exact.json).toMatchObject({ expireTime: iso(3 * HOUR_MS) })
    expect((await lab.gemini(path, undefined, { method: 'GET' })).json).toEqual(exact.json)
    expect((await lab.gemini('v1/cachedContents', undefined, { method: 'GET' })).json['cachedContents']).toHaveLength(1)
    expect((await lab.gemini(path, undefined, { method: 'DELETE' })).json).toEqual({})
    expect((await lab.gemini(path, undefined, { method: 'GET' })).status).toBe(403)
    expect((await lab.gemini('v1beta/cachedContents', undefined, { method: 'GET' })).json).toEqual({})
  })

  it('are listed page by page', async () => {
    const lab = caller()
    for (let i = 0; i < 3; i++) await createCache(lab)
    const page = await lab.gemini('v1beta/cachedContents?pageSize=2', undefined, { method: 'GET' })
    expect(page.json['cachedContents']).toHaveLength(2)
    const token = String(page.json['nextPageToken'])
    const rest = await lab.gemini(`v1beta/cachedContents?pageSize=2&pageToken=${token}`, undefined, { method: 'GET' })
    expect(rest.json['cachedContents']).toHaveLength(1)
    expect(rest.json).not.toHaveProperty('nextPageToken')
  })

  it('serve reads that do not prolong them', async () => {
    const lab = caller()
    const name = (await createCache(lab, { ttl: '600s' })).json['name']
    const body = { cachedContent: name, contents: contents('x') }
    lab.advance(10 * MINUTE_MS - 1)
    const { json } = await generate(lab, body)
    expect(json).toMatchObject({ usageMetadata: { promptTokenCount: 3001, cachedContentTokenCount: 3000 } })
    lab.advance(1)
    const gone = await generate(lab, body)
    expect([gone.status, at(gone.json, 'error.status')]).toEqual([403, 'PERMISSION_DENIED'])
  })

  it('cannot be revived, and look missing to other projects', async () => {
    const lab = caller()
    const name = String((await createCache(lab, { ttl: '60s' })).json['name'])
    const foreign = await generate(lab, { cachedContent: name, contents: contents('x') }, MODEL, 'v1beta', 'key-b')
    expect(foreign.status).toBe(403)
    lab.advance(MINUTE_MS)
    expect((await lab.gemini(`v1beta/${name}`, { ttl: '60s' }, { method: 'PATCH' })).status).toBe(403)
  })

  it.each(['systemInstruction', 'tools', 'toolConfig'])(
    'refuse %s beside the handle, naming the fields',
    async (name) => {
      const lab = caller()
      const handle = (await createCache(lab)).json['name']
      const extra = name === 'tools' ? [] : { parts: [] }
      const { status, json } = await generate(lab, { cachedContent: handle, contents: contents('x'), [name]: extra })
      expect([status, at(json, 'error.status')]).toEqual([400, 'INVALID_ARGUMENT'])
      expect(at(json, 'error.message')).toContain('system_instruction, tools or tool_config')
    },
  )

  it('are bound to their model', async () => {
    const lab = caller()
    const handle = (await createCache(lab)).json['name']
    const { status, json } = await generate(lab, { cachedContent: handle, contents: contents('x') }, 'gemini-2.5-pro')
    expect(status).toBe(400)
    expect(at(json, 'error.message')).toContain('has to be the same')
  })

  it('need 1,024 tokens, a model that has handles, and a lifetime that is one', async () => {
    const lab = caller()
    const small = await createCache(lab, { systemInstruction: system(1023) })
    expect(small.status).toBe(400)
    expect(at(small.json, 'error.message')).toContain('Cached content is too small')
    expect((await createCache(lab, { systemInstruction: system(1024) })).status).toBe(200)
    expect((await createCache(lab, { model: 'models/gemini-4-argon' })).status).toBe(404)
    expect((await createCache(lab, { ttl: '5 minutes' })).status).toBe(400)
    expect((await createCache(lab, { expireTime: iso(-1) })).status).toBe(400)
  })

  it('let nothing but the expiry change', async () => {
    const lab = caller()
    const name = String((await createCache(lab)).json['name'])
    const { status } = await lab.gemini(
      `v1beta/${name}?updateMask=displayName`,
      { displayName: 'x' },
      { method: 'PATCH' },
    )
    expect(status).toBe(400)
  })
})

describe('what Gemini refuses', () => {
  it('missing and bad keys, each in its own way', async () => {
    const lab = caller()
    const bad = await generate(lab, { contents: contents('x') }, MODEL, 'v1beta', 'bad')
    expect([bad.status, at(bad.json, 'error.details.0.reason')]).toEqual([400, 'API_KEY_INVALID'])
    expect((await generate(lab, { contents: contents('x') }, MODEL, 'v1beta', '')).status).toBe(403)
  })

  it('takes the key from the query too', async () => {
    const lab = caller()
    const path = `/gemini/v1beta/models/${MODEL}:generateContent?key=key-a`
    expect((await lab.send('POST', path, { contents: contents('x') })).status).toBe(200)
  })

  it('unknown models, unknown members, no contents, other versions', async () => {
    const lab = caller()
    expect((await generate(lab, { contents: contents('x') }, 'gemini-9')).status).toBe(404)
    const unknown = await generate(lab, { contents: contents('x'), cache_control: {} })
    expect(at(unknown.json, 'error.message')).toContain('Unknown name "cache_control"')
    expect((await generate(lab, {})).status).toBe(400)
    expect((await generate(lab, { contents: contents('x') }, MODEL, 'v2')).status).toBe(404)
  })
})

describe('what Gemini refuses inside of messages', () => {
  const marker = { cache_control: { type: 'ephemeral' } }
  it.each<[string, Json, string]>([
    ['a part', { contents: [{ role: 'user', parts: [{ text: 'Hi', ...marker }] }] }, " at 'contents[0].parts[0]'"],
    ['a turn', { contents: [{ ...contents('Hi')[0], cacheControl: {} }] }, " at 'contents[0]'"],
    [
      'the system prompt',
      { systemInstruction: { parts: [{ text: 'x', ...marker }] } },
      " at 'system_instruction.parts[0]'",
    ],
    [
      'a function',
      { tools: [{ functionDeclarations: [{ name: 'f', ...marker }] }] },
      " at 'tools[0].function_declarations[0]'",
    ],
    ['the settings', { generationConfig: marker }, " at 'generation_config'"],
  ])('%s with a marker of Anthropic', async (_name, change, where) => {
    for (const model of [MODEL, 'lab-any']) {
      const { status, json } = await generate(caller(), { contents: contents('Hi'), ...change }, model)
      expect([status, at(json, 'error.message')]).toEqual([
        400,
        `Invalid JSON payload received. Unknown name "cache_control"${where}: Cannot find field.`,
      ])
    }
  })

  it('a marker at the top, and a system prompt that is a text', async () => {
    const top = await generate(caller(), { contents: contents('Hi'), ...marker })
    expect([top.status, at(top.json, 'error.message')]).toEqual([
      400,
      'Invalid JSON payload received. Unknown name "cache_control": Cannot find field.',
    ])
    for (const name of ['systemInstruction', 'system_instruction']) {
      const { status, json } = await generate(caller(), { contents: contents('Hi'), [name]: 'Rules.' })
      expect([status, String(at(json, 'error.message')).slice(0, 38)]).toEqual([
        400,
        "Invalid value at 'system_instruction' ",
      ])
    }
    const handle = await createCache(caller(), { systemInstruction: 'Rules.' })
    expect(handle.status).toBe(400)
  })

  it('nothing that only looks like one: properties, arguments and results are the caller’s', async () => {
    const parameters = { type: 'object', properties: { cache_control: { type: 'string' } } }
    const call = { functionCall: { name: 'f', args: marker }, thoughtSignature: 's' }
    const turns = [
      ...contents('Hi'),
      { role: 'model', parts: [call] },
      { role: 'user', parts: [{ functionResponse: { name: 'f', response: marker } }] },
    ]
    const tools = [{ functionDeclarations: [{ name: 'f', parameters }] }]
    expect((await generate(caller(), { contents: turns, tools })).status).toBe(200)
  })
})

describe('the spelling of a body', () => {
  const tools = (type: string, list: string): Json => ({
    tools: [{ [list]: [{ name: 'f', parameters: { type, properties: { a_b: { type } } } }] }],
  })
  it.each<[string, Json]>([
    ['names in snake case', { ...tools('OBJECT', 'function_declarations'), system_instruction: system(4000) }],
    ['types in small letters', { ...tools('object', 'functionDeclarations'), systemInstruction: system(4000) }],
    [
      'lists of one left out, and a free choice',
      {
        ...tools('OBJECT', 'functionDeclarations'),
        systemInstruction: { parts: { text: tokens(4000) } },
        toolConfig: { functionCallingConfig: { mode: 'auto' } },
      },
    ],
  ])('changes nothing: %s', async (_name, sent) => {
    const lab = caller()
    const own = { ...tools('OBJECT', 'functionDeclarations'), systemInstruction: system(4000) }
    await generate(lab, { ...own, contents: contents('one') })
    const { json } = await generate(lab, { ...sent, contents: { parts: { text: 'two' } } })
    expect(at(json, 'usageMetadata.cachedContentTokenCount')).toBeGreaterThan(3500)
  })
})
