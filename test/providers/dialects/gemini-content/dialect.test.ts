import { describe, expect, test } from 'vitest'
import { renderNeutral } from '../../../../src/providers/prefix/neutral.ts'
import { provider, refusal } from '../../prepared.ts'
import type { CacheRequest } from '../../../../src/providers/dialect.ts'

const { dialect, facts, card } = provider('gemini')

const model = 'gemini-3.8-flash'
const systemInstruction = { parts: [{ text: 'Rules' }] }
const tools = [{ functionDeclarations: [{ name: 't', parametersJsonSchema: { type: 'object' } }] }]
const user = { role: 'user', parts: [{ text: 'What now?' }] }
const dummy = { role: 'user', parts: [{ text: '.' }] }

const prepare = (body: unknown, options: { model?: string | undefined; strategy?: CacheRequest['strategy'] } = {}) =>
  dialect.prepare(
    {
      text: JSON.stringify(body),
      ...('model' in options ? (options.model === undefined ? {} : { model: options.model }) : { model }),
      ...(options.strategy === undefined ? {} : { cache: { mode: 'best_effort', strategy: options.strategy } }),
    },
    facts,
  )
const probe = (body: unknown, primitive: 'one_token' | 'floor_tokens' = 'one_token') => {
  const prefix = prepare(body)
  const sent = dialect.probe(prefix, { primitive, retention: prefix.retention })
  return { ...sent, json: JSON.parse(sent.body) as Record<string, unknown> }
}

test('a probe asks for one token, leaves out the sampling and keeps every other setting', () => {
  const generationConfig = { temperature: 1.0, maxOutputTokens: 900, thinkingConfig: { thinkingLevel: 'LOW' } }
  const sent = probe({ systemInstruction, tools, generationConfig, contents: [user] })
  expect(sent.path).toBe(`/v1beta/models/${model}:generateContent`)
  expect(sent.json).toEqual({
    systemInstruction,
    tools,
    generationConfig: { maxOutputTokens: 1, thinkingConfig: { thinkingLevel: 'LOW' } },
    contents: [dummy],
  })
  expect(probe({ systemInstruction }).json).toEqual({
    systemInstruction,
    contents: [dummy],
    generationConfig: { maxOutputTokens: 1 },
  })
  expect(probe({ systemInstruction }, 'floor_tokens').outputTokens).toBe(16)
})

test('both spellings of a member are the same member', () => {
  const sent = probe({
    system_instruction: systemInstruction,
    generation_config: { max_output_tokens: 5, temperature: 0 },
  })
  expect(sent.json).toEqual({
    system_instruction: systemInstruction,
    generation_config: { max_output_tokens: 1 },
    contents: [dummy],
  })
  expect(prepare({ system_instruction: systemInstruction }).canonical).toBe(prepare({ systemInstruction }).canonical)
})

describe('where the prefix ends', () => {
  const contents = [user, { role: 'model', parts: [{ text: 'a' }, { text: 'b' }] }, user]
  test.each([
    ['the system instruction', { systemInstruction, contents }, undefined, 'systemInstruction', 0],
    ['tools behind it', { systemInstruction, tools, contents }, undefined, 'tools[0]', 0],
    ['the tool settings', { tools, toolConfig: {}, contents }, undefined, 'toolConfig', 0],
    ['before the last content', { systemInstruction, contents }, { last: 1 }, 'contents[1].parts[1]', 2],
    [
      'inside a content',
      { systemInstruction, contents },
      { explicit: [{ partEnd: [1, 0] }] },
      'contents[1].parts[0]',
      2,
    ],
  ])('%s', (_, body, strategy, path, kept) => {
    const prefix = prepare(body, strategy === undefined ? {} : { strategy: strategy as CacheRequest['strategy'] })
    expect(prefix.breakpoint.path).toBe(path)
    expect(JSON.parse(prefix.text).contents).toHaveLength(kept)
  })
})

test.each([
  ['nothing stable', { contents: [user] }, 'invalid_request', 'request'],
  [
    'a handle beside system',
    { cachedContent: 'cachedContents/x', systemInstruction },
    'invalid_request',
    'request.systemInstruction',
  ],
  ['a handle beside tools', { cachedContent: 'cachedContents/x', tools }, 'invalid_request', 'request.tools'],
  ['a handle alone', { cachedContent: 'cachedContents/x', contents: [user] }, 'unsupported', 'request.cachedContent'],
  [
    '2,049 functions in one tool',
    { tools: [{ functionDeclarations: Array.from({ length: 2049 }, () => ({ name: 't' })) }] },
    'invalid_request',
    'request.tools',
  ],
])('%s is refused', (_, body, kind, field) => {
  expect(refusal(() => prepare(body))).toMatchObject({ kind, detail: { field } })
})

describe('the model', () => {
  test('comes from the envelope or the body, with or without `models/`', () => {
    expect(prepare({ systemInstruction }, { model: `models/${model}` }).model).toBe(model)
    expect(prepare({ model: `models/${model}`, systemInstruction }).model).toBe(model)
    expect(prepare({ model, systemInstruction }, { model: undefined }).model).toBe(model)
    expect(refusal(() => prepare({ systemInstruction }, { model: undefined })).detail).toEqual({
      field: 'request.model',
    })
    expect(refusal(() => prepare({ model: 'other', systemInstruction })).kind).toBe('invalid_request')
  })

  test.each(['a/../b', '../x', 'x?key=1', 'x y', 'x%2f', 'x:y', '/x', 'x//y', '.', 'é', 'x#'])(
    '%j never reaches a path',
    (id) => {
      expect(refusal(() => prepare({ systemInstruction }, { model: id })).detail).toEqual({ field: 'request.model' })
    },
  )
})

test('sampling settings are not compared, and thinking is', () => {
  const canonical = (generationConfig: object) => prepare({ systemInstruction, generationConfig }).canonical
  expect(new Set([{}, { temperature: 1 }, { maxOutputTokens: 5, seed: 1 }].map(canonical)).size).toBe(1)
  expect(canonical({ thinkingConfig: { thinkingLevel: 'LOW' } })).not.toBe(canonical({}))
})

test('all of the neutral form is the prefix, including a last user message', () => {
  for (const id of ['anthropic', 'openai', 'openai-chat', 'gemini']) {
    const { dialect: one, facts: known } = provider(id)
    const request = { model: 'm', system: 'S', messages: [{ role: 'user' as const, content: 'shared' }] }
    const prefix = one.prepare(renderNeutral(one, request), known)
    expect(prefix.text).toContain('shared')
    expect(prefix.breakpoint.path).toMatch(/^(messages|input|contents)\[\d\]/)
  }
  expect(card.managedCaches).toBeDefined()
})
