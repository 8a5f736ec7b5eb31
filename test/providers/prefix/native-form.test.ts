import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readFailure } from '../../../src/contract/failure.ts'
import { filled } from '../../../src/providers/prefix/native-form.ts'
import { cardById, dialectOf } from '../../../src/providers/registry.ts'

const dialect = (id: string) => dialectOf(cardById(id)!)
const find = '{"name": "find",  "input_schema":{"type":"object","maximum":1e400}}'
const book = '{ "name":"b\\u006fok","input_schema":{} }'
const search = '{"type":"web_search_20250305","name":"web_search"}'

describe('vars', () => {
  it.each([
    ['anthropic', '{"system": "For {{ a }}\\/", "messages":[{"role":"user","content":"{{ a }}"}]}'],
    ['anthropic', '{"system":[{"type":"text","text":"For {{ a }}"} , {"type":"text","text":"\\u00e9"}],"big":1e400}'],
    ['openai', '{"instructions":"For {{ a }}","input":"{{ a }}"}'],
    [
      'openai',
      '{"input":[{"role":"developer","content":[{"type":"input_text","text":"{{ a }}"}]},{"role":"user","content":"{{ a }}"}]}',
    ],
    ['openai-chat', '{"messages":[{"role":"system","content":"For {{ a }}"},{"role":"user","content":"{{ a }}"}]}'],
    ['gemini', '{"systemInstruction":{"parts":[{"text":"For {{ a }}"}]},"contents":[{"parts":[{"text":"{{ a }}"}]}]}'],
    ['gemini', '{"system_instruction":{"parts":[{"text":"{{ a }}"}]}}'],
    ['bedrock', '{"system":[{"text":"For {{ a }}"},{"cachePoint":{"type":"default"}}],"messages":[]}'],
  ])('fill the system prompt of %s, and nothing else: %s', (id, text) => {
    const at = text.indexOf('{{ a }}')
    expect(filled(text, dialect(id), { vars: { a: 'A"' } })).toBe(`${text.slice(0, at)}A\\"${text.slice(at + 7)}`)
  })

  it('without them braces are text', () => {
    const text = '{"system":"{{ a }}"}'
    expect(filled(text, dialect('anthropic'), {})).toBe(text)
  })
})

describe('a filter of tools', () => {
  it.each([
    ['anthropic', `{"tools":[${find} , ${book},${search}],"x":1}`, { allow: ['find'] }, `{"tools":[${find}],"x":1}`],
    ['anthropic', `{"tools":[${find} , ${book},${search}]}`, { deny: ['web_search'] }, `{"tools":[${find} , ${book}]}`],
    ['anthropic', `{"tools":[${find} , ${book}] , "x":1}`, { deny: ['find'] }, `{"tools":[${book}] , "x":1}`],
    ['anthropic', `{"y":0,"tools":[${find}], "x":1}`, { allow: [] }, '{"y":0, "x":1}'],
    [
      'openai-chat',
      '{"tools":[{"type":"function","function":{"name":"find"}},{"type":"function","function":{"name":"book"}}]}',
      { deny: ['book'] },
      '{"tools":[{"type":"function","function":{"name":"find"}}]}',
    ],
    [
      'openai',
      '{"tools":[{"type":"web_search"},{"type":"function","name":"find"}]}',
      { allow: ['web_search'] },
      '{"tools":[{"type":"web_search"}]}',
    ],
    [
      'gemini',
      '{"tools":[{"functionDeclarations":[{"name":"find"}, {"name":"book"}]},{"googleSearch":{}}]}',
      { deny: ['book', 'googleSearch'] },
      '{"tools":[{"functionDeclarations":[{"name":"find"}]}]}',
    ],
    [
      'gemini',
      '{"tools":[{"function_declarations":[{"name":"find"}]},{"googleSearch":{}}]}',
      { allow: ['googleSearch'] },
      '{"tools":[{"googleSearch":{}}]}',
    ],
    [
      'bedrock',
      '{"toolConfig":{"tools":[{"toolSpec":{"name":"find"}},{"toolSpec":{"name":"book"}},{"cachePoint":{"type":"default"}}]}}',
      { allow: ['find'] },
      '{"toolConfig":{"tools":[{"toolSpec":{"name":"find"}},{"cachePoint":{"type":"default"}}]}}',
    ],
    [
      'bedrock',
      '{"toolConfig":{"tools":[{"toolSpec":{"name":"find"}},{"cachePoint":{"type":"default"}}]},"system":[]}',
      { deny: ['find'] },
      '{"system":[]}',
    ],
  ])('of %s: %s with %j', (id, text, filter, expected) => {
    expect(filled(text, dialect(id), { filter })).toBe(expected)
  })

  it('refuses a name that no tool has, also where there are no tools', () => {
    for (const text of [`{"tools":[${find}]}`, '{"system":"S"}']) {
      let failure = null
      try {
        filled(text, dialect('anthropic'), { filter: { allow: ['lose'] } })
      } catch (thrown) {
        failure = readFailure(thrown)
      }
      expect(failure).toMatchObject({ kind: 'invalid_request', detail: { field: 'tool_filter.allow[0]' } })
    }
  })
})

it('keeps all other bytes: spaces, the order of keys, escapes and numbers', () => {
  const space = fc.constantFrom('', ' ', '\n\t', '  ')
  const scalar = fc.constantFrom(
    '1e400',
    '12345678901234567890',
    '0.10',
    '-0',
    '"\\u00e9\\/"',
    'null',
    '[ ]',
    '{ "b":1,"a":2 }',
  )
  const tool = fc.record({ name: fc.constantFrom('a', 'b', 'c'), schema: scalar })
  const body = fc.record({
    space,
    members: fc.array(scalar, { maxLength: 5 }),
    tools: fc.array(tool, { minLength: 1, maxLength: 6 }),
    denied: fc.constantFrom('a', 'b', 'c'),
  })
  fc.assert(
    fc.property(body, ({ space: s, members, tools, denied }) => {
      const others = members.map((value, index) => `"m${index}"${s}:${s}${value}${s},`).join(s)
      const text = (list: readonly { name: string; schema: string }[], who: string): string => {
        const written = list.map(({ name, schema }) => `{${s}"name":"${name}","input_schema":${schema}}`).join(',')
        const member = list.length === 0 ? '' : `"tools"${s}:[${written}],`
        return `${s}{${others}${member}"system"${s}:"\\u0046or ${who}\\u002e"${s}}${s}`
      }
      const given = text(tools, '{{ who }}')
      const left = tools.filter(({ name }) => name !== denied)
      fc.pre(left.length > 0) // with its last tool the whole member goes
      const filter = { deny: left.length === tools.length ? [] : [denied] }
      expect(filled(given, dialect('anthropic'), { vars: { who: 'é' }, filter })).toBe(text(left, 'é'))
    }),
  )
})
