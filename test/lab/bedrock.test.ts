import { describe, expect, it } from 'vitest'
import { at, caller, tokens } from './caller.ts'
import type { Json, Reply } from './caller.ts'
import { HOUR_MS, MINUTE_MS } from './time.ts'

const OPUS = 'us.anthropic.claude-opus-4-8'
const POINT = { cachePoint: { type: 'default' } }
const HOUR = { cachePoint: { type: 'default', ttl: '1h' } }
const text = (value: string): Json => ({ text: value })
const turns = (...contents: Json[][]): Json[] =>
  contents.map((content, i) => ({ role: i % 2 === 0 ? 'user' : 'assistant', content }))

function body(overrides: Json = {}): Json {
  return { system: [text(tokens(2000)), POINT], messages: turns([text('Hello')]), ...overrides }
}

function usageOf({ status, json }: Reply) {
  expect([status, json]).toEqual([200, expect.anything()])
  const count = (name: string): number => Number(at(json, `usage.${name}`))
  return { read: count('cacheReadInputTokens'), write: count('cacheWriteInputTokens'), input: count('inputTokens') }
}

describe('caching of Converse', () => {
  it('writes in front of the point, then reads it; inputTokens counts neither', async () => {
    const { converse } = caller()
    const cold = await converse(OPUS, body())
    expect(usageOf(cold)).toEqual({ read: 0, write: 2000, input: 2 })
    expect(at(cold.json, 'usage.cacheDetails')).toEqual([{ ttl: '5m', inputTokens: 2000 }])
    const warm = await converse(OPUS, body())
    expect(usageOf(warm)).toEqual({ read: 2000, write: 0, input: 2 })
    expect(at(warm.json, 'usage.cacheDetails')).toBeUndefined()
  })

  it('keeps five minutes or an hour from the last request that touched it', async () => {
    const { converse, advance } = caller()
    await converse(OPUS, body())
    await converse(OPUS, body({ system: [text(tokens(2000, 'hour')), HOUR] }))
    advance(5 * MINUTE_MS)
    expect(usageOf(await converse(OPUS, body())).read).toBe(0)
    advance(HOUR_MS - 6 * MINUTE_MS)
    expect(usageOf(await converse(OPUS, body({ system: [text(tokens(2000, 'hour')), HOUR] }))).read).toBe(2000)
  })

  it('has minimums of its own', async () => {
    const { converse } = caller()
    const opus47 = 'anthropic.claude-opus-4-7-v1:0'
    expect(usageOf(await converse(opus47, body())).write).toBe(0)
    expect(usageOf(await converse(opus47, body({ system: [text(tokens(4096)), POINT] }))).write).toBe(4096)
  })

  it('renders tools in front of the system prompt, and messages behind it', async () => {
    const { converse } = caller()
    const toolConfig = { tools: [{ toolSpec: { name: 'x', inputSchema: { json: {} } } }] }
    await converse(OPUS, body())
    expect(usageOf(await converse(OPUS, body({ toolConfig }))).read).toBe(0)
    expect(usageOf(await converse(OPUS, body({ messages: turns([text('Other')]) }))).read).toBe(2000)
  })

  it.each([
    'arn:aws:bedrock:us-east-1:111122223333:inference-profile/us.anthropic.claude-sonnet-4-5-20250929-v1:0',
    'arn:aws:bedrock:us-east-1:111122223333:application-inference-profile/a1b2c3',
    'anthropic.claude-sonnet-4-5-20250929-v1:0',
    'amazon.nova-pro-v1:0',
    'global.anthropic.claude-opus-5-5',
  ])('knows %s', async (model) => {
    const { converse } = caller()
    await converse(model, body())
    expect(usageOf(await converse(model, body())).read).toBe(2000)
  })

  it('uses the tools that a script names', async () => {
    const { converse } = caller()
    const toolConfig = { tools: [{ toolSpec: { name: 'look', inputSchema: { json: {} } } }] }
    const { json } = await converse(OPUS, body({ toolConfig, messages: turns([text('lab: call look {"a":1}')]) }))
    expect(json).toMatchObject({ stopReason: 'tool_use' })
    expect(at(json, 'output.message.content.0.toolUse')).toMatchObject({ name: 'look', input: { a: 1 } })
    const cut = await converse(OPUS, body({ inferenceConfig: { maxTokens: 1 } }))
    expect(cut.json).toMatchObject({ stopReason: 'max_tokens', usage: { outputTokens: 1 } })
  })

  it('loses entries to a fault, and keeps the shorter lifetime', async () => {
    const { converse, fault, advance } = caller()
    const hour = body({ system: [text(tokens(2000)), HOUR] })
    await fault({ kind: 'downgrade_ttl', times: 1, hidden: true })
    const { json } = await converse(OPUS, hour)
    expect(at(json, 'usage.cacheDetails')).toEqual([{ ttl: '1h', inputTokens: 2000 }])
    advance(5 * MINUTE_MS)
    expect(usageOf(await converse(OPUS, hour)).read).toBe(0)
    await fault({ kind: 'evict', times: 1, provider: 'bedrock' })
    expect(usageOf(await converse(OPUS, hour)).read).toBe(0)
  })
})

describe('what Converse refuses', () => {
  const reasoning = { reasoningContent: { reasoningText: { text: 'a', signature: 'b' } } }
  const five = [text('a'), POINT, text('b'), POINT, text('c'), POINT, text('d'), POINT, text('e'), POINT]

  it.each<[string, Json, string]>([
    ['five points', { messages: turns(five), system: [] }, 'A maximum of 4'],
    ['a longer lifetime behind a shorter one', { messages: turns([text('a'), HOUR]) }, 'must not come after'],
    [
      'a point behind reasoning',
      { messages: turns([text('a')], [reasoning, POINT], [text('b')]) },
      'after reasoning block',
    ],
    ['a number for a lifetime', { system: [text('a'), { cachePoint: { type: 'default', ttl: 300 } }] }, '[5m, 1h]'],
    ['an unknown lifetime', { system: [text('a'), { cachePoint: { type: 'default', ttl: '24h' } }] }, '[5m, 1h]'],
    ['another kind of point', { system: [text('a'), { cachePoint: { type: 'ephemeral' } }] }, '[default]'],
    ['blank text', { messages: turns([text(' ')]) }, 'ContentBlock object at messages.0.content.0 is blank'],
    ['a blank system prompt', { system: [text('')] }, 'SystemContentBlock object at system.0 is blank'],
    ['no message', { messages: [] }, 'must start with a user message'],
    ['two of one role', { messages: [...turns([text('a')]), ...turns([text('b')])] }, 'must alternate'],
    [
      'results without tools',
      { messages: turns([{ toolResult: { toolUseId: 'a', content: [] } }]) },
      'toolConfig field must be defined',
    ],
    ['an output of no tokens', { inferenceConfig: { maxTokens: 0 } }, 'greater than or equal to 1'],
    ['a temperature', { inferenceConfig: { temperature: 0 } }, '`temperature` is deprecated'],
    [
      'enabled thinking',
      { additionalModelRequestFields: { thinking: { type: 'enabled', budget_tokens: 2000 } } },
      '"thinking.type.enabled" is not supported',
    ],
  ])('%s', async (_, change, words) => {
    const { status, json, headers } = await caller().converse(OPUS, body(change))
    expect([status, json['message']]).toEqual([400, expect.stringContaining(words)])
    expect(headers.get('x-amzn-errortype')).toContain('ValidationException')
  })

  it('an hour where the model has none, a bad key, an unknown model and path', async () => {
    const { converse, send } = caller()
    expect((await converse('amazon.nova-pro-v1:0', body({ system: [text('a'), HOUR] }))).status).toBe(400)
    expect((await converse(OPUS, body(), 'bad-key')).status).toBe(403)
    expect((await converse('anthropic.claude-9', body())).json['message']).toContain('model identifier is invalid')
    expect((await send('POST', '/bedrock/model/x/invoke', {}, { authorization: 'Bearer k' })).status).toBe(404)
  })

  it('calls by too many, in words without a wait', async () => {
    const { converse, fault } = caller()
    await fault({ kind: 'rate_limited', times: 1 })
    const { status, headers } = await converse(OPUS, body())
    expect([status, headers.get('x-amzn-errortype'), headers.get('retry-after')]).toEqual([
      429,
      expect.stringContaining('ThrottlingException'),
      null,
    ])
  })
})
