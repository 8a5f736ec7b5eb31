import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { spelled } from '../../../../src/providers/dialects/gemini-content/spelling.ts'
import { begins } from '../../begins.ts'

const text = 'You answer questions about looms and shuttles. '.repeat(200)
const parameters = (kind: (name: string) => string) => ({
  type: kind('OBJECT'),
  properties: {
    thread_count: { type: kind('INTEGER'), minimum: 1 },
    colours: { type: kind('ARRAY'), items: { anyOf: [{ type: kind('STRING') }, { type: kind('NULL') }] } },
    // The name of a property that looks like a member.
    type: { type: kind('STRING'), enum: ['warp', 'weft'] },
  },
  required: ['thread_count'],
})
const declaration = (kind: (name: string) => string = (name) => name, more: object = {}) => ({
  name: 'count_threads',
  description: 'Counts.',
  parameters: parameters(kind),
  ...more,
})
const body = (more: object = {}) => ({
  systemInstruction: { parts: [{ text }] },
  tools: [{ functionDeclarations: [declaration()] }],
  contents: [
    { role: 'user', parts: [{ text: 'Look at this.' }, { inlineData: { mimeType: 'image/png', data: 'AAAA' } }] },
    { role: 'model', parts: [{ functionCall: { name: 'count_threads', args: { thread_count: 1 } } }] },
    { role: 'user', parts: [{ functionResponse: { name: 'count_threads', response: { thread_count: 2 } } }] },
  ],
  ...more,
})
/** Members whose value is the caller's own. */
const FREE = new Set(['args', 'response', 'properties'])
const lower = (name: string): string => name.toLowerCase()
const { systemInstruction } = body()

describe('a request to Gemini begins with a registered prefix, spelled', () => {
  it.each<[string, object]>([
    ['with types of schemas in small letters', { tools: [{ functionDeclarations: [declaration(lower)] }] }],
    ['with function_declarations', { tools: [{ function_declarations: [declaration()] }] }],
    [
      'with snake case inside a declaration',
      { tools: [{ function_declarations: [{ ...declaration(), parameters: inSnakeCase(parameters(lower)) }] }] },
    ],
    ['with a system prompt as one part', { systemInstruction: { parts: { text } } }],
    ['with a system prompt as a text', { systemInstruction: text }],
    ['with a system prompt with a role', { systemInstruction: { role: 'system', parts: [{ text }] } }],
    ['with a free choice in small letters', { toolConfig: { functionCallingConfig: { mode: 'auto' } } }],
  ])('%s', (_, more) => {
    expect(begins('gemini', body({ contents: [] }), body(more), 'gemini-3.6-flash')).toBe(true)
    expect(begins('gemini', body({ ...more, contents: [] }), body(), 'gemini-3.6-flash')).toBe(true)
  })

  it('with one tool, turn and part instead of lists of one', () => {
    const sent = { tools: { function_declarations: declaration() }, contents: { parts: { text: 'Who?' } } }
    expect(begins('gemini', body({ contents: [] }), body(sent), 'gemini-3.6-flash')).toBe(true)
  })

  it('in snake case everywhere', () => {
    const sent = {
      system_instruction: systemInstruction,
      tools: [{ function_declarations: [declaration()] }],
      contents: [
        { parts: [{ text: 'Look at this.' }, { inline_data: { mime_type: 'image/png', data: 'AAAA' } }] },
        { role: 'model', parts: [{ function_call: { name: 'count_threads', args: { thread_count: 1 } } }] },
        { parts: { function_response: { name: 'count_threads', response: { thread_count: 2 } } } },
      ],
      generation_config: { thinking_config: { include_thoughts: true, thinking_level: 'medium' }, top_k: 4 },
      safety_settings: [],
    }
    for (const [one, other] of [
      [body(), sent],
      [sent, body()],
    ]) {
      expect(begins('gemini', one, other, 'gemini-3.6-flash')).toBe(true)
      expect(begins('vertex', one, other, 'gemini-3.6-flash')).toBe(true)
    }
  })

  it.each<[string, object]>([
    [
      'not with another type',
      { tools: [{ functionDeclarations: [declaration((name) => (name === 'ARRAY' ? 'OBJECT' : name))] }] },
    ],
    [
      'not with another name of a property',
      {
        tools: [
          {
            functionDeclarations: [JSON.parse(JSON.stringify(declaration()).replaceAll('thread_count', 'threadCount'))],
          },
        ],
      },
    ],
    [
      'not with a schema of another kind',
      {
        tools: [
          {
            functionDeclarations: [
              { name: 'count_threads', description: 'Counts.', parametersJsonSchema: parameters(lower) },
            ],
          },
        ],
      },
    ],
    ['not with another system prompt', { systemInstruction: `${text}!` }],
    ['not with no function allowed', { toolConfig: { functionCallingConfig: { mode: 'NONE' } } }],
    ['not with a forced function', { tool_config: { function_calling_config: { mode: 'any' } } }],
  ])('%s', (_, more) => {
    expect(begins('gemini', body({ contents: [] }), body(more), 'gemini-3.6-flash')).toBe(false)
  })
})

describe('how a model thinks by itself is no setting', () => {
  const thinks = (thinkingConfig: object) => ({ generationConfig: { thinkingConfig } })
  it.each<[string, object, object]>([
    ['gemini-2.5-flash', { thinkingBudget: -1 }, { thinkingBudget: 0 }],
    ['gemini-2.5-pro', { thinking_budget: -1 }, { thinkingBudget: 4_096 }],
    ['gemini-2.5-flash-lite', { thinkingBudget: 0 }, { thinkingBudget: -1 }],
    ['gemini-3.1-pro-preview', { thinkingLevel: 'HIGH' }, { thinkingLevel: 'LOW' }],
    ['gemini-3-flash-preview', { thinkingLevel: 'high' }, { thinkingLevel: 'minimal' }],
    ['gemini-3.5-flash', { thinking_level: 'medium' }, { thinking_level: 'high' }],
    ['gemini-3.8-flash', { thinkingLevel: 'MEDIUM' }, { thinkingLevel: 'HIGH' }],
    ['gemini-3.5-flash-lite', { thinkingLevel: 'minimal' }, { thinkingLevel: 'medium' }],
    ['gemini-3.1-flash-lite', { thinkingLevel: 'THINKING_LEVEL_UNSPECIFIED' }, { thinkingLevel: 'HIGH' }],
    ['gemini-9-unknown', {}, { thinkingLevel: 'HIGH' }],
  ])('of %s', (model, own, other) => {
    const registered = body({ contents: [] })
    expect(begins('gemini', registered, body(thinks({ ...own, includeThoughts: true })), model)).toBe(true)
    expect(begins('gemini', { ...registered, ...thinks(own) }, body(), model)).toBe(true)
    expect(begins('gemini', registered, body(thinks(other)), model)).toBe(false)
  })
})

describe('the one spelling of a body', () => {
  it('is the body itself where it is spelled so, and keeps what is free', () => {
    const own = { systemInstruction: { role: 'user', parts: [{ text }] }, labels: { my_label: 'a_b' } }
    const whole = JSON.stringify(body(own), null, 1).replace('"model"', String.raw`"m\u006fdel"`)
    expect(spelled(whole)).toBe(whole)
  })

  it('keeps a name that stands beside its other spelling', () => {
    const both = '{"toolConfig":null,"tool_config":{"a_b":1}}'
    expect(spelled(both)).toBe('{"toolConfig":null,"tool_config":{"aB":1}}')
  })

  it('is reached in one step from every mixture of spellings', () => {
    const wanted = JSON.parse(spelled(JSON.stringify(body()))) as unknown
    fc.assert(
      fc.property(fc.array(fc.boolean(), { minLength: 1, maxLength: 40 }), (choices) => {
        let at = 0
        const mixed = mixedSpelling(body(), () => choices[at++ % choices.length] === true)
        const once = spelled(JSON.stringify(mixed, null, 2))
        expect(JSON.parse(once)).toEqual(wanted)
        expect(spelled(once)).toBe(once)
      }),
    )
  })
})

/** Members of a schema in snake case, and the names of properties as they are. */
function inSnakeCase(schema: unknown): unknown {
  return mixedSpelling(schema, () => true)
}

/** A value with some of its members in snake case, and some types in small letters. */
function mixedSpelling(value: unknown, next: () => boolean): unknown {
  if (Array.isArray(value)) return value.map((item) => mixedSpelling(item, next))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, inside]) => {
      const name = next() ? key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`) : key
      if (key === 'type' && typeof inside === 'string') return [key, next() ? inside.toLowerCase() : inside]
      if (!FREE.has(key)) return [name, mixedSpelling(inside, next)]
      if (key !== 'properties') return [name, inside]
      const properties = Object.entries(inside as object).map(([one, schema]) => [one, mixedSpelling(schema, next)])
      return [key, Object.fromEntries(properties)]
    }),
  )
}
