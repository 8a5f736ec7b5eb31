import fc from 'fast-check'
import { cardById, dialectOf, modelFacts } from '../../src/providers/registry.ts'
import { list, members, NUMBERS, object, promptText, raw, string, value } from './spelled.ts'
import type { Value } from './spelled.ts'
import type { CacheRequest } from '../../src/providers/dialect.ts'

/** Bodies of every wire format, made from the same random words, and what a probe of each may change. */
export interface Case {
  provider: string
  model: string
  retentions: string[]
  turns: string
  parts: string
  marker: string | null
  /** True where the marker is an element of its own in a list. */
  markerStandsAlone?: true
  /** Members that a probe may add, change or drop. Nothing else. */
  allowed: string[]
  /** Members of which only those named may differ. */
  allowedInside: Record<string, string[]>
  build(given: Given): Value
}

export interface Given {
  system: string
  asBlocks: boolean
  schema: [string, Value][]
  number: string
  extra: [string, Value][]
  shots: string[]
  last: string
}

export const CASES: Case[] = [
  {
    provider: 'anthropic',
    model: 'claude-opus-4-8',
    retentions: ['5m', '1h'],
    turns: 'messages',
    parts: 'content',
    marker: 'cache_control',
    allowed: ['max_tokens', 'stream', 'cache_control'],
    allowedInside: {},
    build: (given) =>
      body(given, [
        ['model', string('claude-opus-4-8')],
        ['max_tokens', raw('1024')],
        ['system', given.asBlocks ? list(block('text', 'first'), block('text', given.system)) : string(given.system)],
        ['tools', list(object(['name', string('t')], ['input_schema', schema(given)]))],
        ['thinking', object(['type', string('adaptive')])],
        ['messages', list(...turns(given, 'text'))],
        ['stream', raw('true')],
      ]),
  },
  {
    provider: 'openai',
    model: 'gpt-6.1-sol',
    retentions: ['30m', '12h'],
    turns: 'input',
    parts: 'content',
    marker: 'prompt_cache_breakpoint',
    allowed: ['max_output_tokens', 'stream', 'stream_options', 'store'],
    allowedInside: { prompt_cache_options: ['ttl', 'prewarm'] },
    build: (given) => responses(given, 'gpt-6.1-sol'),
  },
  {
    provider: 'openai',
    model: 'gpt-5',
    retentions: ['in_memory', '24h'],
    turns: 'input',
    parts: 'content',
    marker: null,
    allowed: ['max_output_tokens', 'stream', 'stream_options', 'store', 'prompt_cache_retention'],
    allowedInside: {},
    build: (given) => responses(given, 'gpt-5'),
  },
  {
    provider: 'openai-chat',
    model: 'gpt-6-luna',
    retentions: ['30m'],
    turns: 'messages',
    parts: 'content',
    marker: 'prompt_cache_breakpoint',
    allowed: ['max_completion_tokens', 'stream', 'stream_options', 'n'],
    allowedInside: { prompt_cache_options: ['ttl'] },
    build: (given) =>
      body(given, [
        ['model', string('gpt-6-luna')],
        ['n', raw('2')],
        ['stream', raw('true')],
        ['stream_options', object(['include_usage', raw('true')])],
        ['messages', list(developer(given, 'text'), ...turns(given, 'text'))],
        [
          'tools',
          list(
            object(
              ['type', string('function')],
              ['function', object(['name', string('t')], ['parameters', schema(given)])],
            ),
          ),
        ],
      ]),
  },
  {
    provider: 'openrouter',
    model: 'anthropic/claude-opus-4.8',
    retentions: ['5m', '1h'],
    turns: 'messages',
    parts: 'content',
    marker: 'cache_control',
    allowed: ['max_tokens', 'stream', 'stream_options', 'n', 'cache_control'],
    allowedInside: {},
    build: (given) =>
      body(given, [
        ['model', string('anthropic/claude-opus-4.8')],
        ['cache_control', object(['type', string('ephemeral')])],
        ['messages', list(developer(given, 'text'), ...turns(given, 'text'))],
        ['tools', list(object(['type', string('function')], ['function', object(['parameters', schema(given)])]))],
        ['max_tokens', raw('700')],
      ]),
  },
  {
    provider: 'gemini',
    model: 'gemini-3.8-flash',
    retentions: ['implicit'],
    turns: 'contents',
    parts: 'parts',
    marker: null,
    allowed: [],
    allowedInside: { generationConfig: ['maxOutputTokens', 'temperature'] },
    build: (given) =>
      body(given, [
        ['systemInstruction', object(['parts', list(object(['text', string(given.system)]))])],
        [
          'tools',
          list(
            object([
              'functionDeclarations',
              list(object(['name', string('t')], ['parametersJsonSchema', schema(given)])),
            ]),
          ),
        ],
        ['generationConfig', object(['temperature', raw(given.number)], ['maxOutputTokens', raw('900')])],
        [
          'contents',
          list(
            ...[...given.shots, given.last].map((text, n) =>
              object(['role', string(n % 2 === 0 ? 'user' : 'model')], ['parts', list(object(['text', string(text)]))]),
            ),
          ),
        ],
      ]),
  },
  {
    provider: 'bedrock',
    model: 'eu.anthropic.claude-opus-4-8-v1:0',
    retentions: ['5m', '1h'],
    turns: 'messages',
    parts: 'content',
    marker: 'cachePoint',
    markerStandsAlone: true,
    allowed: [],
    allowedInside: { inferenceConfig: ['maxTokens', 'temperature'] },
    build: (given) =>
      body(given, [
        ['system', list(...(given.asBlocks ? [text('first'), point()] : []), text(given.system))],
        [
          'toolConfig',
          object([
            'tools',
            list(
              object(['toolSpec', object(['name', string('t')], ['inputSchema', object(['json', schema(given)])])]),
              ...(given.asBlocks ? [point()] : []),
            ),
          ]),
        ],
        ['inferenceConfig', object(['temperature', raw(given.number)], ['maxTokens', raw('900')])],
        [
          'messages',
          list(
            ...[...given.shots, given.last].map((said, n) =>
              object(['role', string(n % 2 === 0 ? 'user' : 'assistant')], ['content', list(text(said))]),
            ),
          ),
        ],
      ]),
  },
]

function text(said: string): Value {
  return object(['text', string(said)])
}

function point(): Value {
  return object(['cachePoint', object(['type', string('default')])])
}

function block(type: string, text: string): Value {
  return object(['type', string(type)], ['text', string(text)])
}

function schema({ schema: entries, number }: Given): Value {
  return object(['type', string('object')], ['properties', object(...entries)], ['x-number', raw(number)])
}

function developer(given: Given, type: string): Value {
  const content = given.asBlocks ? list(block(type, 'first'), block(type, given.system)) : string(given.system)
  return object(['role', string('developer')], ['content', content])
}

function turns({ shots, last }: Given, type: string): Value[] {
  return [...shots, last].map((text, n) =>
    object(
      ['role', string(n % 2 === 0 ? 'user' : 'assistant')],
      ['content', n % 3 === 0 ? list(block(type, text)) : string(text)],
    ),
  )
}

function responses(given: Given, model: string): Value {
  return body(given, [
    ['tools', list(object(['type', string('function')], ['name', string('t')], ['parameters', schema(given)]))],
    ['input', list(developer(given, 'input_text'), ...turns(given, 'input_text'))],
    ['stream', raw('true')],
    ['reasoning', object(['effort', string('low')])],
    ['model', string(model)],
  ])
}

/** Members we know among members we do not; the unknown ones are put where chance wants them. */
function body(given: Given, known: [string, Value][]): Value {
  const names = new Set(known.map(([key]) => key))
  const extra = given.extra.filter(([key]) => !names.has(key) && !CONTROLS.has(key))
  return object(...known.slice(0, 2), ...extra, ...known.slice(2))
}

const CONTROLS = new Set(['cache_control', 'prompt_cache_breakpoint', 'stream', 'type', '__proto__'])

export const given: fc.Arbitrary<Given> = fc.record({
  system: promptText.filter((text) => text !== ''),
  asBlocks: fc.boolean(),
  schema: members(value, 2),
  number: fc.constantFrom(...NUMBERS),
  extra: members(value).map((entries) => entries.map(([key, entry]): [string, Value] => [`x_${key}`, entry])),
  // An even number of earlier turns, so that the last one is the user's.
  shots: fc.array(fc.tuple(promptText, promptText), { maxLength: 2 }).map((pairs) => pairs.flat()),
  last: promptText,
})

export function setUp({ provider, model }: Case) {
  const card = cardById(provider)!
  const dialect = dialectOf(card)
  const facts = (id: string) => modelFacts(card, id, Date.UTC(2026, 10, 21))
  const prepare = (text: string, strategy?: CacheRequest['strategy']) =>
    dialect.prepare(
      { text, model, ...(strategy === undefined ? {} : { cache: { mode: 'best_effort', strategy } }) },
      facts,
    )
  return { dialect, facts, prepare }
}
