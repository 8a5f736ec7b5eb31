import { describe, expect, it } from 'vitest'
import { at, caller, tokens } from './caller.ts'
import type { Json, Reply } from './caller.ts'

const bearer = { authorization: 'Bearer key-a' }
const messages = [{ role: 'user', content: [{ text: tokens(900) }] }]
const converse = { system: [{ text: 'You keep bees.' }, { cachePoint: { type: 'default' } }], messages }
const SONNET = 'anthropic.claude-sonnet-4-6'

describe("Bedrock's CountTokens", () => {
  const { send, converse: ask, lab } = caller()
  const count = (body: Json, model = SONNET, headers: Record<string, string> = bearer): Promise<Reply> =>
    send('POST', `/bedrock/model/${encodeURIComponent(model)}/count-tokens`, body, headers)

  it('counts what Converse bills for the same members, and is billed for nothing', async () => {
    const counted = await count({ input: { converse } })
    const { json } = await ask(SONNET, { ...converse, inferenceConfig: { maxTokens: 1 } })
    const billed = Number(at(json, 'usage.totalTokens')) - Number(at(json, 'usage.outputTokens'))
    expect([counted.status, counted.json]).toEqual([200, { inputTokens: billed }])
    expect(lab.transcript.list().map(({ usage }) => usage === null)).toEqual([true, false])
  })

  it("counts InvokeModel's body, in base64", async () => {
    const native = {
      anthropic_version: 'bedrock-2023-05-31',
      max_tokens: 1,
      system: 'You keep bees.',
      messages: [{ role: 'user', content: tokens(900) }],
    }
    const body = Buffer.from(JSON.stringify(native)).toString('base64')
    const counted = await count({ input: { invokeModel: { body } } })
    expect(counted.json).toEqual((await count({ input: { converse } })).json)
  })

  it.each<[string, Json, string | undefined, Record<string, string> | undefined, number, string]>([
    ['a profile of regions', { input: { converse } }, `us.${SONNET}`, bearer, 400, 'ValidationException'],
    ['a model that it does not count', { input: { converse } }, 'amazon.nova-pro-v1:0', bearer, 400, 'Validation'],
    ['both kinds', { input: { converse, invokeModel: { body: '' } } }, SONNET, bearer, 400, 'Serialization'],
    ['neither kind', { input: {} }, SONNET, bearer, 400, 'Serialization'],
    ['a request without its wrapping', converse, SONNET, bearer, 400, 'Serialization'],
    [
      'members that it does not have',
      { input: { converse: { ...converse, inferenceConfig: { maxTokens: 1 } } } },
      SONNET,
      bearer,
      400,
      'Serialization',
    ],
    ['no messages', { input: { converse: { system: converse.system } } }, SONNET, bearer, 400, 'Validation'],
    ['a bad key', { input: { converse } }, SONNET, { authorization: 'Bearer bad-key' }, 403, 'AccessDenied'],
    [
      'a prompt of more than 200,000 tokens',
      { input: { converse: { messages: [{ role: 'user', content: [{ text: tokens(200_001) }] }] } } },
      SONNET,
      bearer,
      400,
      'Validation',
    ],
  ])('refuses %s', async (_, body, model, headers, status, name) => {
    const refused = await count(body, model, headers)
    expect(refused.status).toBe(status)
    expect(refused.headers.get('x-amzn-errortype')).toContain(name)
  })

  it('has no other method', async () => {
    expect((await send('GET', `/bedrock/model/${SONNET}/count-tokens`, undefined, bearer)).status).toBe(404)
  })
})

describe('counts on Vertex AI', () => {
  const { send } = caller()
  const place = (location: string) => `/vertex/v1/projects/p/locations/${location}/publishers`
  const claude = { model: 'claude-sonnet-4-5@20250929', messages: [{ role: 'user', content: tokens(700) }] }
  const countClaude = (body: Json, location = 'us-east5', headers: Record<string, string> = bearer) =>
    send('POST', `${place(location)}/anthropic/models/count-tokens:rawPredict`, body, headers)

  it("counts Claude's tokens by the model in the body, with or without a version", async () => {
    const counted = await countClaude(claude)
    expect([counted.status, counted.json]).toEqual([200, { input_tokens: 700 }])
    const versioned = await countClaude({ ...claude, anthropic_version: 'vertex-2023-10-16' })
    expect(versioned.json).toEqual(counted.json)
  })

  it.each<[string, Json, string, Record<string, string>, number]>([
    ['another location', claude, 'us-central1', bearer, 400],
    ['no model', { messages: claude.messages }, 'us-east5', bearer, 400],
    ['a model that it does not count', { ...claude, model: 'claude-mythos-5' }, 'us-east5', bearer, 400],
    ['members of a request alone', { ...claude, max_tokens: 1 }, 'us-east5', bearer, 400],
    ['no token', claude, 'us-east5', {}, 401],
  ])('refuses %s', async (_, body, location, headers, status) => {
    expect((await countClaude(body, location, headers)).status).toBe(status)
  })

  const gemini = {
    systemInstruction: { parts: [{ text: tokens(300) }] },
    contents: [{ role: 'user', parts: [{ text: 'Hi' }] }],
  }
  const model = 'gemini-3.8-flash'
  const countGemini = (body: Json) =>
    send('POST', `${place('europe-west4')}/google/models/${model}:countTokens`, body, bearer)

  it("counts Gemini's tokens by the members of a request", async () => {
    const counted = await countGemini({ ...gemini, generationConfig: { maxOutputTokens: 1 } })
    const asked = await send('POST', `${place('europe-west4')}/google/models/${model}:generateContent`, gemini, bearer)
    expect(counted).toMatchObject({
      status: 200,
      json: { totalTokens: at(asked.json, 'usageMetadata.promptTokenCount') },
    })
  })

  it.each<[string, Json]>([
    ["the Gemini API's wrapping", { generateContentRequest: { model: `models/${model}`, ...gemini } }],
    ['members of a request alone', { ...gemini, toolConfig: {} }],
    ['no contents', { systemInstruction: gemini.systemInstruction }],
  ])('refuses %s', async (_, body) => {
    expect((await countGemini(body)).status).toBe(400)
  })
})

describe('counts of the Gemini API', () => {
  const { gemini } = caller()
  const contents = [{ role: 'user', parts: [{ text: tokens(300) }] }]
  const count = (body: Json) => gemini('v1beta/models/gemini-3.8-flash:countTokens', body)

  it('takes contents, or the whole request with the name of its model', async () => {
    const inner = { model: 'models/gemini-3.8-flash', contents, safetySettings: [] }
    expect((await count({ contents })).json).toEqual((await count({ generateContentRequest: inner })).json)
    for (const wrong of [{ ...inner, model: 'gemini-3.8-flash' }, { contents }, { ...inner, maxTokens: 1 }])
      expect((await count({ generateContentRequest: wrong })).status).toBe(400)
    expect((await count({ contents, systemInstruction: {} })).status).toBe(400)
  })
})

describe("Anthropic's count", () => {
  it('takes no members of a request alone, and is what a lying provider says', async () => {
    const { send } = caller()
    const headers = { 'x-api-key': 'a', 'anthropic-version': '2023-06-01' }
    const body = { model: 'claude-opus-5', messages: [{ role: 'user', content: tokens(400) }] }
    const count = (more: Json = {}) =>
      send('POST', '/anthropic/v1/messages/count_tokens', { ...body, ...more }, headers)
    expect((await count()).json).toEqual({ input_tokens: 400 })
    expect((await count({ max_tokens: 1 })).status).toBe(400)
    expect((await count({ messages: [] })).status).toBe(400)
    await send('POST', '/_lab/counting', { per: 'four_bytes', free_count: -7 })
    expect((await count()).json).toEqual({ input_tokens: -7 })
  })
})
