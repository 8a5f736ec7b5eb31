import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { fingerprint } from '../../src/core/fingerprint.ts'
import { byteOffset, items, member, readJson } from '../../src/core/json-text.ts'
import type { JsonNode, JsonObject } from '../../src/core/json-text.ts'
import type { Primitive } from '../../src/core/types.ts'
import { cardById, dialectOf, modelFacts } from '../../src/providers/registry.ts'
import { list, members, NUMBERS, object, promptText, raw, spell, string, style, value } from './spelled.ts'
import type { Value } from './spelled.ts'

/**
 * The law: for every member rendered into the prompt the probe's raw text equals the registered one, except cache markers and a
 * string that had to become one block of text; every other member equals too, save what is allowed here by name.
 */
interface Case {
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

interface Given {
  system: string
  asBlocks: boolean
  schema: [string, Value][]
  number: string
  extra: [string, Value][]
  shots: string[]
  last: string
}

const CASES: Case[] = [
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
    provider: 'gemini',
    model: 'gemini-3.8-flash',
    retentions: ['implicit'],
    turns: 'contents',
    parts: 'parts',
    marker: null,
    allowed: [],
    allowedInside: { generationConfig: ['maxOutputTokens'] },
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
    allowedInside: { inferenceConfig: ['maxTokens'] },
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

const given: fc.Arbitrary<Given> = fc.record({
  system: promptText.filter((text) => text !== ''),
  asBlocks: fc.boolean(),
  schema: members(value, 2),
  number: fc.constantFrom(...NUMBERS),
  extra: members(value).map((entries) => entries.map(([key, entry]): [string, Value] => [`x_${key}`, entry])),
  // An even number of earlier turns, so that the last one is the user's.
  shots: fc.array(fc.tuple(promptText, promptText), { maxLength: 2 }).map((pairs) => pairs.flat()),
  last: promptText,
})

function setUp({ provider, model }: Case) {
  const card = cardById(provider)!
  const dialect = dialectOf(card)
  const facts = (id: string) => modelFacts(card, id, Date.UTC(2026, 10, 21))
  const prepare = (text: string, last?: number) =>
    dialect.prepare(
      { text, model, ...(last === undefined ? {} : { cache: { mode: 'best_effort', strategy: { last } } }) },
      facts,
    )
  return { dialect, facts, prepare }
}

const RUNS = { numRuns: 150 }

describe.each(CASES)('$provider with $model', (kind) => {
  const { dialect, facts, prepare } = setUp(kind)

  test('a probe says what the registered body says, byte for byte', () => {
    fc.assert(
      fc.property(
        given,
        style,
        fc.constantFrom(undefined, 1),
        fc.constantFrom(...kind.retentions),
        (one, choices, last, retention) => {
          const text = spell(kind.build(one), choices)
          const prefix = prepare(text, last)
          const registered = readJson(text) as JsonObject
          const end = last === undefined ? developerTurns(kind) : developerTurns(kind) + one.shots.length
          expect(items(member(readJson(prefix.text), kind.turns))).toHaveLength(end)

          for (const primitive of dialect.primitives(prefix.text, facts(kind.model))) {
            if (!canMark(kind, primitive, last, one)) continue
            const sent = dialect.probe(prefix, { primitive, retention })
            JSON.parse(sent.body) // what the provider's parser makes of it
            const probe = readJson(sent.body) as JsonObject
            compare(kind, { text, node: registered }, { text: sent.body, node: probe }, end, primitive)
          }
        },
      ),
      RUNS,
    )
  })

  test('the breakpoint is the byte behind the last element of the prefix', () => {
    fc.assert(
      fc.property(given, style, fc.constantFrom(undefined, 1), (one, choices, last) => {
        const prefix = prepare(spell(kind.build(one), choices), last)
        const node = follow(readJson(prefix.text), prefix.breakpoint.path)
        expect(prefix.breakpoint.byte).toBe(byteOffset(prefix.text, node.end))
      }),
      RUNS,
    )
  })

  test('one content has one fingerprint, however it is spaced and escaped, whatever turn follows', () => {
    fc.assert(
      fc.property(given, style, style, promptText, (one, a, b, other) => {
        const first = prepare(spell(kind.build(one), a))
        const second = prepare(spell(kind.build({ ...one, last: other }), b))
        expect(print(second)).toBe(print(first))
      }),
      RUNS,
    )
  })

  test('another key order, number or text is another fingerprint', () => {
    fc.assert(
      fc.property(given, style, fc.constantFrom(...NUMBERS), fc.nat(), (one, choices, number, where) => {
        const first = print(prepare(spell(kind.build(one), choices)))
        const changed: Given[] = [
          { ...one, system: `${one.system}.` },
          { ...one, schema: one.schema.toReversed() },
          {
            ...one,
            schema: one.schema.map(([key, entry], n) => [n === where % one.schema.length ? `${key}'` : key, entry]),
          },
          ...(number === one.number ? [] : [{ ...one, number }]),
        ]
        for (const variant of changed) expect(print(prepare(spell(kind.build(variant), choices)))).not.toBe(first)
      }),
      RUNS,
    )
  })

  test('another shot in front of the end is another fingerprint', () => {
    fc.assert(
      fc.property(
        given.filter(({ shots }) => shots.length > 0),
        style,
        fc.nat(),
        (one, choices, where) => {
          const first = print(prepare(spell(kind.build(one), choices), 1))
          const shots = one.shots.map((text, n) => (n === where % one.shots.length ? `${text}.` : text))
          expect(print(prepare(spell(kind.build({ ...one, shots }), choices), 1))).not.toBe(first)
        },
      ),
      RUNS,
    )
  })
})

function print({ canonical, model, cacheKey }: { canonical: string; model: string; cacheKey: string | null }): string {
  return fingerprint({ provider: 'p', model, credentialScope: 's', cacheKey, canonical })
}

/** Turns that are prefix without anyone saying so. */
function developerTurns({ provider }: Case): number {
  return provider.startsWith('openai') ? 1 : 0
}

/** On Responses a breakpoint can stand on what people wrote only; a prefix that ends in an assistant's words is refused there. */
function canMark(
  { provider, marker }: Case,
  primitive: Primitive,
  last: number | undefined,
  { shots }: Given,
): boolean {
  return provider !== 'openai' || marker === null || primitive === 'prewarm' || last === undefined || shots.length === 0
}

interface Spot {
  text: string
  node: JsonNode
}

function compare(kind: Case, registered: Spot, probe: Spot, end: number, primitive: Primitive): void {
  const before = new Map(entries(registered))
  const after = new Map(entries(probe))
  for (const key of new Set([...before.keys(), ...after.keys()])) {
    const [was, is] = [before.get(key), after.get(key)]
    if (kind.allowed.includes(key)) continue
    if (key === kind.turns) {
      const dummies = primitive === 'prewarm' ? 0 : 1
      const sent = items(is?.node)
      expect(sent).toHaveLength(end + dummies)
      for (let n = 0; n < end; n++)
        sameTurn(kind, { ...registered, node: items(was?.node)[n]! }, { ...probe, node: sent[n]! })
      continue
    }
    const inside = kind.allowedInside[key]
    if (inside !== undefined) {
      const rest = (spot: Spot | undefined) =>
        spot === undefined
          ? []
          : entries(spot)
              .filter(([name]) => !inside.includes(name))
              .map(([name, one]) => [name, slice(one)])
      expect(rest(is)).toEqual(rest(was))
      continue
    }
    if (was === undefined || is === undefined) expect.fail(`${key} was ${was === undefined ? 'added' : 'dropped'}`)
    if (key === 'tools' || key === 'system') sameBlocks(kind, was, is)
    else if (key === 'toolConfig' && kind.markerStandsAlone) sameBlocks(kind, toolsOf(was), toolsOf(is))
    else expect(slice(is)).toBe(slice(was))
  }
  // What is kept keeps its order.
  const kept = [...before.keys()].filter((key) => after.has(key))
  expect([...after.keys()].filter((key) => before.has(key))).toEqual(kept)
}

function sameTurn(kind: Case, was: Spot, is: Spot): void {
  const [a, b] = [entries(was), entries(is)]
  expect(b.map(([key]) => key)).toEqual(a.map(([key]) => key))
  for (const [n, [key, one]] of a.entries()) {
    const other = b[n]![1]
    if (key === kind.parts) sameBlocks(kind, one, other)
    else expect(slice(other)).toBe(slice(one))
  }
}

function sameBlocks(kind: Case, was: Spot, is: Spot): void {
  if (was.node.type === 'string') {
    if (is.node.type === 'string') return void expect(slice(is)).toBe(slice(was))
    expect(items(is.node)).toHaveLength(1)
    const only = entries({ ...is, node: items(is.node)[0]! }).filter(([key]) => key !== kind.marker)
    expect(only.map(([key]) => key)).toEqual(['type', 'text'])
    return void expect(slice(only[1]![1])).toBe(slice(was))
  }
  const prompt = ({ node }: Spot): JsonNode[] =>
    items(node).filter((item) => !kind.markerStandsAlone || member(item, kind.marker ?? '') === undefined)
  expect(prompt(is)).toHaveLength(prompt(was).length)
  for (const [n, item] of prompt(was).entries()) {
    const raws = (spot: Spot) =>
      entries(spot)
        .filter(([key]) => key !== kind.marker)
        .map(([key, one]) => [key, slice(one)])
    expect(raws({ ...is, node: prompt(is)[n]! })).toEqual(raws({ ...was, node: item }))
  }
}

function toolsOf({ text: whole, node }: Spot): Spot {
  return { text: whole, node: member(node, 'tools') ?? node }
}

function entries({ text, node }: Spot): [string, Spot][] {
  return node.type === 'object' ? node.members.map(({ key, value: entry }) => [key, { text, node: entry }]) : []
}

function slice({ text, node }: Spot): string {
  return text.slice(node.start, node.end)
}

/** The node at a path such as `system[1]` or `input[0].content`. */
function follow(root: JsonNode, path: string): JsonNode {
  let node: JsonNode | undefined = root
  for (const step of path.match(/\w+/g) ?? [])
    node = /^\d+$/.test(step) ? items(node)[Number(step)] : member(node, step)
  if (node === undefined) throw new Error(`nothing at ${path}`)
  return node
}
