import { describe, expect, it } from 'vitest'
import { newTools, readArguments } from '../../src/contract/tool.ts'

const tool = (more: Record<string, unknown> = {}) => ({
  name: 'weather',
  description: 'The weather in a city.',
  parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
  url: 'https://tools.example/weather',
  ...more,
})

describe('a tool', () => {
  it('has a time limit in milliseconds, and may have no parameters', () => {
    expect(newTools.parse([tool({ timeout: '5s', parameters: undefined })])[0]).toMatchObject({ timeout: 5_000 })
  })

  it.each([
    ['a name with a space', [tool({ name: 'the weather' })]],
    ['the name of the tool that is there by itself', [tool({ name: 'current_time' })]],
    ['two of one name', [tool(), tool()]],
    ['a schema that is no object', [tool({ parameters: { type: 'string' } })]],
    ['a type that does not exist', [tool({ parameters: { type: 'object', properties: { a: { type: 'text' } } } })]],
    ['a reference to nothing', [tool({ parameters: { type: 'object', properties: { a: { $ref: '#/nope' } } } })]],
    ['what cannot be checked', [tool({ parameters: { type: 'object', if: {} } })]],
    ['a schema of 16,000 characters', [tool({ parameters: { type: 'object', description: 'x'.repeat(16_000) } })]],
    ['an address that is none', [tool({ url: 'tools' })]],
    ['a time limit of minutes', [tool({ timeout: '2m' })]],
    ['an empty description', [tool({ description: '' })]],
    ['33 of them', Array.from({ length: 33 }, (_, n) => tool({ name: `t${n}` }))],
  ])('is refused with %s', (_, tools) => {
    expect(newTools.safeParse(tools).success).toBe(false)
  })
})

describe('arguments that a model wrote', () => {
  const schema = {
    type: 'object',
    properties: { city: { type: 'string', minLength: 1 }, days: { type: 'integer', minimum: 1 } },
    required: ['city'],
    additionalProperties: false,
  }

  it('are taken as they are where they fit, and nothing is an empty object', () => {
    expect(readArguments(schema, '{"city":"Oslo","days":3}')).toEqual({ value: { city: 'Oslo', days: 3 }, wrong: null })
    expect(readArguments({ type: 'object' }, '')).toEqual({ value: {}, wrong: null })
  })

  it.each([
    ['{"city":', 'not JSON'],
    ['{"days":3}', 'city'],
    ['{"city":"Oslo","days":0.5}', 'days'],
    ['{"city":"Oslo","wind":true}', 'wind'],
    ['[]', 'expected object'],
  ])('%s are handed back with what is wrong', (text, word) => {
    const { value, wrong } = readArguments(schema, text)
    expect([value, wrong]).toEqual([null, expect.stringContaining(word)])
  })
})

describe('a hostile schema', () => {
  const text = (depth: number): string => '{"q":'.repeat(depth) + '{}' + '}'.repeat(depth)

  it('cannot keep the bot busy with a pattern', { timeout: 20_000 }, () => {
    const properties = { q: { type: 'string', pattern: '^(a+)+$' }, pattern: { type: 'number' } }
    const schema = { type: 'object', properties }
    expect(readArguments(schema, JSON.stringify({ q: `${'a'.repeat(60)}!`, pattern: 1 })).wrong).toBeNull()
    expect(readArguments(schema, '{"q":"a","pattern":"b"}').wrong).toContain('pattern')
  })

  it('cannot keep it busy with choices that refer to each other', { timeout: 20_000 }, () => {
    const either = { anyOf: [{ $ref: '#/$defs/a' }, { $ref: '#/$defs/a' }] }
    const a = {
      anyOf: ['x', 'y'].map((name) => ({ type: 'object', properties: { q: either, [name]: { type: 'string' } } })),
    }
    const schema = { type: 'object', properties: { q: either }, $defs: { a } }
    expect(readArguments(schema, text(40).replace('{}', '{"q":1}')).wrong).toBeNull()
  })

  it('is answered where arguments are nested too deeply, and not thrown', () => {
    const schema = { type: 'object', properties: { q: { $ref: '#' } } }
    expect(readArguments(schema, text(20_000)).wrong).toBe('The arguments are nested too deeply.')
  })
})
