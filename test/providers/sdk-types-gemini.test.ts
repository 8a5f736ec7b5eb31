import { FunctionCallingConfigMode, HarmBlockThreshold, HarmCategory, ThinkingLevel } from '@google/genai'
import type {
  CachedContent,
  Content,
  CreateCachedContentConfig,
  CreateCachedContentParameters,
  GenerateContentConfig,
  GenerateContentResponseUsageMetadata,
  GenerationConfig,
  UpdateCachedContentConfig,
} from '@google/genai'
import { expect, test } from 'vitest'
import { geminiManagedCaches } from '../../src/providers/managed-cache/gemini.ts'
import { provider } from './prepared.ts'
import { HOUR_MS } from '../../src/core/time/time.ts'

/**
 * As much of Gemini's bodies as the vendor's SDK lets the compiler check. It types what a program hands to the SDK, where the
 * settings stand together in `config`; on the wire they stand beside `contents`, and the sampling in `generationConfig`. So
 * the request is put together here from the SDK's own parts.
 */
type OnTheWire = Pick<
  GenerateContentConfig,
  'tools' | 'toolConfig' | 'safetySettings' | 'cachedContent' | 'serviceTier'
> & {
  contents: Content[]
  systemInstruction?: Content
  generationConfig?: GenerationConfig
}
type Created = Pick<CreateCachedContentParameters, 'model'> &
  Pick<CreateCachedContentConfig, 'ttl' | 'displayName' | 'tools' | 'toolConfig'> & {
    contents?: Content[]
    systemInstruction?: Content
  }

const schema = { type: 'object', properties: { order: { type: 'string' } } }
const rules: Content = { parts: [{ text: 'Rules' }] }
const tools: NonNullable<CreateCachedContentConfig['tools']> = [
  { functionDeclarations: [{ name: 'find', parametersJsonSchema: schema }] },
]
const toolConfig: OnTheWire['toolConfig'] = { functionCallingConfig: { mode: FunctionCallingConfigMode.AUTO } }
const safetySettings: OnTheWire['safetySettings'] = [
  { category: HarmCategory.HARM_CATEGORY_HARASSMENT, threshold: HarmBlockThreshold.BLOCK_NONE },
]
const question: Content = { role: 'user', parts: [{ text: 'Where is my order?' }] }
const dummy: Content = { role: 'user', parts: [{ text: '.' }] }

test.each(['gemini', 'vertex'])(
  '%s: a probe has every member of the request but its sampling, and only those',
  (id) => {
    const generationConfig = {
      thinkingConfig: { thinkingLevel: ThinkingLevel.LOW },
      temperature: 0.5,
      maxOutputTokens: 900,
    }
    const given = {
      systemInstruction: rules,
      tools,
      toolConfig,
      safetySettings,
      contents: [question],
      generationConfig,
    }
    const { dialect, facts, prepare } = provider(id)
    const prefix = prepare(given satisfies OnTheWire, undefined, 'gemini-3.8-flash')
    const primitive = dialect.primitives(prefix.text, facts(prefix.model))[0]!
    const sent = dialect.probe(prefix, { primitive, retention: prefix.retention })
    expect(JSON.parse(sent.body)).toEqual({
      ...given,
      contents: [dummy],
      generationConfig: { thinkingConfig: { thinkingLevel: ThinkingLevel.LOW }, maxOutputTokens: 1 },
    } satisfies OnTheWire)
  },
)

test('a model inside the body is kept', () => {
  const { json } = provider('gemini').probe({
    model: 'gemini-2.5-flash',
    systemInstruction: rules,
    contents: [question],
  })
  const { model, ...rest } = json
  expect(model).toBe('gemini-2.5-flash')
  expect(rest).toEqual({
    systemInstruction: rules,
    contents: [dummy],
    generationConfig: { maxOutputTokens: 1 },
  } satisfies OnTheWire)
})

test('the neutral form becomes a valid request', () => {
  const { dialect } = provider('gemini')
  const text = dialect.render({
    model: 'gemini-2.5-flash',
    system: 'Rules',
    tools: [{ name: 'find', parametersText: JSON.stringify(schema) }],
    messages: [
      { role: 'user', content: 'Hi' },
      { role: 'assistant', content: 'Yes?' },
    ],
  })
  const { model: _, ...rest } = JSON.parse(text) as { model: string }
  expect(rest).toEqual({
    systemInstruction: rules,
    tools,
    contents: [
      { role: 'user', parts: [{ text: 'Hi' }] },
      { role: 'model', parts: [{ text: 'Yes?' }] },
    ],
  } satisfies OnTheWire)
})

test('a managed cache is created with a valid body, and renewed with `ttl` alone', () => {
  const prepared = geminiManagedCaches.prepare(
    JSON.stringify({ systemInstruction: rules, tools, toolConfig, contents: [question] }),
    'gemini-3.8-flash',
  )
  expect(JSON.parse(geminiManagedCaches.create(prepared, 'ours', HOUR_MS, '').body)).toEqual({
    model: 'models/gemini-3.8-flash',
    systemInstruction: rules,
    tools,
    toolConfig,
    contents: [question],
    ttl: '3600s',
    displayName: 'ours',
  } satisfies Created)
  expect(JSON.parse(geminiManagedCaches.renew('cachedContents/a', 90_000).body)).toEqual({
    ttl: '90s',
  } satisfies Pick<UpdateCachedContentConfig, 'ttl'>)
})

test("every member that is read from an answer has the SDK's name", () => {
  const usage = {
    promptTokenCount: 1_000,
    cachedContentTokenCount: 900,
    candidatesTokenCount: 7,
    thoughtsTokenCount: 5,
    totalTokenCount: 1_012,
  } satisfies Partial<GenerateContentResponseUsageMetadata>
  expect(provider('gemini').dialect.readUsage(usage)).toMatchObject({
    inputTokens: 1_000,
    cacheReadTokens: 900,
    outputTokens: 12,
    reasoningTokens: 5,
  })
  const cached = {
    name: 'cachedContents/a',
    model: 'models/gemini-3.8-flash',
    displayName: 'ours',
    createTime: '2026-11-21T09:00:00Z',
    expireTime: '2026-11-21T10:00:00Z',
    usageMetadata: { totalTokenCount: 4_096 },
  } satisfies CachedContent
  expect(geminiManagedCaches.read(JSON.stringify(cached))).toMatchObject({
    name: 'cachedContents/a',
    displayName: 'ours',
    tokens: 4_096,
  })
})
