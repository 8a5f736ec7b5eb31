import { elsewhere, nearLimits, told, withDepth } from './more-bodies.ts'
import { claude, filledWith, gemini, gpt, keyed, MB, numbered, tool, WORDS } from './parts.ts'
import type { HostileBody } from './parts.ts'

/** A schema of `depth` levels with one member each. */
function nested(depth: number): unknown {
  let schema: unknown = { type: 'string' }
  for (let level = 0; level < depth; level++) schema = { type: 'object', properties: { a: schema } }
  return schema
}

const system = (text: string) => claude({ system: [{ type: 'text', text, cache_control: { type: 'ephemeral' } }] })

const native: Record<string, { provider: string; request: unknown; more?: Record<string, unknown> }> = {
  '390,000 keys in a tool': {
    provider: 'anthropic',
    request: claude({ tools: tool({ type: 'object', properties: {}, examples: keyed(390_000, 1) }) }),
  },
  '390,000 keys at the top': { provider: 'anthropic', request: claude(keyed(390_000, 1)) },
  '390,000 numbers in a message': {
    provider: 'anthropic',
    request: claude({
      messages: [
        { role: 'user', content: [{ type: 'tool_use', id: 'a', name: 'weigh', input: numbered(390_000, (n) => n) }] },
      ],
    }),
  },
  '390,000 numbers in a schema': {
    provider: 'openai',
    request: gpt({ tools: [{ type: 'function', name: 'weigh', parameters: { enum: numbered(390_000, (n) => n) } }] }),
  },
  '390,000 numbers in a gemini schema': {
    provider: 'gemini',
    request: gemini({
      tools: [{ functionDeclarations: [{ name: 'weigh', parameters: { enum: numbered(390_000, (n) => n) } }] }],
    }),
  },
  '60,000 tools': {
    provider: 'anthropic',
    request: claude({ tools: numbered(60_000, (n) => ({ name: `t${n}`, input_schema: { type: 'object' } })) }),
  },
  '60,000 tools of openai': {
    provider: 'openai',
    request: gpt({ tools: numbered(60_000, (n) => ({ type: 'function', name: `t${n}`, parameters: {} })) }),
  },
  '70,000 messages': {
    provider: 'anthropic',
    request: claude({
      messages: numbered(70_000, (n) => ({ role: n % 2 === 0 ? 'user' : 'assistant', content: 'ja' })),
    }),
  },
  '70,000 messages of openai': {
    provider: 'openai',
    request: gpt({ input: numbered(70_000, (n) => ({ role: n % 2 === 0 ? 'user' : 'assistant', content: 'ja' })) }),
  },
  '70,000 turns of gemini': {
    provider: 'gemini',
    request: gemini({
      contents: numbered(50_000, (n) => ({ role: n % 2 === 0 ? 'user' : 'model', parts: [{ text: 'ja' }] })),
    }),
  },
  '60,000 system blocks with markers': {
    provider: 'anthropic',
    request: claude({
      system: numbered(60_000, () => ({ type: 'text', text: 'ja', cache_control: { type: 'ephemeral' } })),
    }),
  },
  'a schema of 120 levels': { provider: 'anthropic', request: claude({ tools: tool(nested(55)) }) },
  '100,000 small schemas': {
    provider: 'anthropic',
    request: claude({ tools: tool({ anyOf: numbered(95_000, () => ({ type: 'string' })) }) }),
  },
  '3.9 MB of one letter': { provider: 'anthropic', request: system(filledWith('a', 3.9 * MB)) },
  '3.9 MB of one letter, of openai': {
    provider: 'openai',
    request: gpt({ input: [{ role: 'developer', content: filledWith('a', 3.9 * MB) }] }),
  },
  '3.9 MB of spaces': { provider: 'anthropic', request: system(`a${filledWith(' ', 3.9 * MB)}b`) },
  '3.9 MB of lines': { provider: 'anthropic', request: system(filledWith('\n', 1.9 * MB)) },
  '3.9 MB of digits': { provider: 'anthropic', request: system(filledWith('8', 3.9 * MB)) },
  '3.9 MB of dashes': { provider: 'anthropic', request: system(filledWith('-', 3.9 * MB)) },
  '3.9 MB of dates': { provider: 'anthropic', request: system(filledWith('2026-11-21T09:30:00Z ', 3.9 * MB)) },
  '3.9 MB of near dates': { provider: 'anthropic', request: system(filledWith('2026-11-2 T09:3:0 ', 3.9 * MB)) },
  '3.9 MB of "Current date:"': { provider: 'anthropic', request: system(filledWith('Current date: ', 3.9 * MB)) },
  '3.9 MB of identifiers': {
    provider: 'anthropic',
    request: system(filledWith('3f2b8c1e-9d4a-4e7b-8f6a-1c2d3e4f5a6b ', 3.9 * MB)),
  },
  '3.9 MB of keys': { provider: 'anthropic', request: system(filledWith('sk-ant-api03-', 3.9 * MB)) },
  '3.9 MB of key-like text': { provider: 'anthropic', request: system(filledWith('aB3_x9-Zq', 3.9 * MB)) },
  '3.9 MB of tags': { provider: 'anthropic', request: system(filledWith('<a><b ', 3.9 * MB)) },
  '3.9 MB of "{{"': { provider: 'anthropic', request: system(filledWith('{{', 3.9 * MB)) },
  '3.9 MB of "${"': { provider: 'anthropic', request: system(filledWith('${', 3.9 * MB)) },
  '3.9 MB of "%("': { provider: 'anthropic', request: system(filledWith('%(', 3.9 * MB)) },
  '3.9 MB of "a@"': { provider: 'anthropic', request: system(filledWith('a.b@', 3.9 * MB)) },
  '3.9 MB of paths': { provider: 'anthropic', request: system(filledWith('/home/a/', 3.9 * MB)) },
  '3.9 MB of addresses': { provider: 'anthropic', request: system(filledWith('http://a.b/?c=', 3.9 * MB)) },
  '3.9 MB of words': { provider: 'anthropic', request: system(filledWith(WORDS, 3.9 * MB)) },
  '3.9 MB of words, of openai': {
    provider: 'openai',
    request: gpt({ input: [{ role: 'developer', content: filledWith(WORDS, 3.9 * MB) }] }),
  },
  '3.9 MB of accents': { provider: 'anthropic', request: system(filledWith('e\u0301', 1.9 * MB)) },
  '3.9 MB of emoji': { provider: 'anthropic', request: system('\u{1f600}'.repeat(0.95 * MB)) },
  '1.3 MB of "\\u0041"': { provider: 'anthropic', request: system(filledWith('\u0001', 0.65 * MB)) },
  '400,000 short texts': {
    provider: 'anthropic',
    request: claude({
      messages: [{ role: 'user', content: numbered(95_000, () => ({ type: 'text', text: 'ja' })) }],
    }),
  },
  'a template of 3,900 outputs': {
    provider: 'anthropic',
    request: system(filledWith('{{ a }} ', 8 * 3_900)),
    more: { vars: { a: 'rye' } },
  },
  'a template of nested loops': {
    provider: 'anthropic',
    request: system('{% for a in l %}{% for b in l %}{% for c in l %}{{ c }}{% endfor %}{% endfor %}{% endfor %}'),
    more: { vars: { l: numbered(1_000, (n) => n) } },
  },
  'a template that sorts': {
    provider: 'anthropic',
    request: system(`{% for a in l %}{{ l | sort | join }}{% endfor %}`),
    more: { vars: { l: numbered(20_000, (n) => 20_000 - n) } },
  },
  'a template of 3.9 MB of text': {
    provider: 'anthropic',
    request: system(`${filledWith(WORDS, 3.8 * MB)}{{ a }}`),
    more: { vars: { a: 'rye' } },
  },
  'a template of a long expression': {
    provider: 'anthropic',
    request: system(`{{ a${filledWith(' | append: a', 0.3 * MB)} }}`),
    more: { vars: { a: 'rye' } },
  },
  'a template of open tags': {
    provider: 'anthropic',
    request: system(filledWith('{% if a %}', 0.1 * MB)),
    more: { vars: { a: 'rye' } },
  },
  'a template of "{%"': {
    provider: 'anthropic',
    request: system(filledWith('{% ', 3.9 * MB)),
    more: { vars: { a: 'rye' } },
  },
  '100,000 values for a template': {
    provider: 'anthropic',
    request: system('{{ a.k1 }}'),
    more: { vars: { a: keyed(100_000, 'x') } },
  },
}

/** The neutral form, where Pilotlight renders the body. */
const neutral: Record<string, Record<string, unknown>> = {
  'neutral: 3.9 MB of words': { system: filledWith(WORDS, 3.9 * MB) },
  'neutral: 30,000 tools': {
    system: WORDS.repeat(400),
    tools: numbered(30_000, (n) => ({ name: `t${n}`, description: 'ja', parameters: { type: 'object' } })),
  },
  'neutral: a schema of 300,000 numbers': {
    system: WORDS.repeat(400),
    tools: [{ name: 'weigh', description: 'ja', parameters: { enum: numbered(300_000, (n) => n) } }],
  },
  'neutral: 300,000 unknown members': { system: WORDS, ...keyed(300_000, 1) },
  'neutral: 300,000 windows': { system: WORDS, keep_warm: { windows: numbered(300_000, () => 1) } },
}

/** All of them. They take seconds to make, and 200 MB. */
export function* hostileBodies(): Generator<HostileBody> {
  const warm = (name: string, text: string): HostileBody => ({ name, route: 'warm', text })
  for (const [name, { provider, request, more }] of Object.entries(native))
    yield warm(name, JSON.stringify({ provider, request, ...more }))
  for (const [name, body] of Object.entries(neutral))
    yield warm(name, JSON.stringify({ provider: 'anthropic', model: 'claude-opus-4-8', ...body }))
  for (const [name, { provider, request, more }] of Object.entries(nearLimits()))
    yield warm(name, withDepth(JSON.stringify({ provider, request, ...more })))
  yield* elsewhere()
  yield* told()
}
