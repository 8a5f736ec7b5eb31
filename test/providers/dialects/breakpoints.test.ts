import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { items, member, readJson } from '../../../src/core/prompt/json-text.ts'
import type { JsonNode, JsonObject } from '../../../src/core/prompt/json-text.ts'
import { CASES, given, setUp } from '../bodies.ts'
import type { Case, Given } from '../bodies.ts'
import { caller, tokens } from '../../lab/caller.ts'
import { compare, developerTurns } from '../exactness.ts'
import { causes, provider, refusal } from '../prepared.ts'
import { spell, style } from '../spelled.ts'
import type { CacheRequest, ExplicitBreakpoint } from '../../../src/providers/dialect.ts'

/** Several breakpoints in one request: each is marked where it was asked for, and nothing else of the request changes. */

const MOST: Record<string, number> = { anthropic: 4, bedrock: 4, openrouter: 4, openai: 3, 'openai-chat': 3 }
const marking = CASES.filter(({ marker }) => marker !== null)

describe.each(marking)('$provider with $model', (kind) => {
  const { dialect, facts, prepare } = setUp(kind)
  const most = MOST[kind.provider]!
  /** Chance writes no text where there is none, which takes no marker, and no points of its own. */
  const bodies = given.map((one): Given => ({ ...one, asBlocks: false, shots: one.shots.map((text) => `${text}.`) }))
  const first = developerTurns(kind)

  test('a probe marks all breakpoints in order and keeps all other bytes', () => {
    fc.assert(
      fc.property(
        bodies.filter(({ shots }) => shots.length > 0),
        style,
        fc.infiniteStream(fc.boolean()),
        fc.constantFrom(...kind.retentions),
        (one, choices, coin, retention) => {
          // Behind a user's message Bedrock's dummy turn is one more block of it: the prefix ends at an assistant's.
          const lastStand = kind.provider === 'bedrock' ? one.shots.length - 1 : -1
          const places = Array.from({ length: first + one.shots.length }, (_, n) => n)
            .filter((n) => canStand(kind, n))
            .filter((n) => coin.next().value || n === lastStand)
          fc.pre(places.length > 0)
          const withTools = takesTools(kind) && coin.next().value
          const points: ExplicitBreakpoint[] = places.toReversed().map((itemEnd) => ({ itemEnd }))
          if (withTools) points.push({ toolsEnd: true })
          const text = spell(kind.build(one), choices)
          const prefix = prepare(text, { explicit: points })
          const primitive = dialect.primitives(prefix.text, facts(kind.model)).find((name) => name !== 'prewarm')!
          const sent = dialect.probe(prefix, { primitive, retention })
          const probe = readJson(sent.body) as JsonObject
          const end = places.at(-1)! + 1
          const registered = { text, node: readJson(text) }
          compare(kind, registered, { text: sent.body, node: probe }, end, primitive)
          const wanted = [...(withTools ? ['tools'] : []), ...places.map(String)].slice(-most)
          expect(marksIn(kind, probe)).toEqual(wanted)
          expect(causes(prefix).includes('too_many_breakpoints')).toBe(places.length + Number(withTools) > most)
        },
      ),
      { numRuns: 150 },
    )
  })

  test('a real request with the same markers is the same prefix, with the same probe', () => {
    const words: Given = { ...WORDS, shots: ['a', 'b'], last: 'c' }
    const points = [first, ...(kind.provider === 'openai' ? [0] : [first + 1])].map((itemEnd) => ({ itemEnd }))
    const bare = prepare(spell(kind.build(words), PLAIN), { explicit: points })
    for (const retention of kind.retentions) {
      const sent = dialect.probe(bare, { primitive: 'floor_tokens', retention })
      const real = prepare(sent.body.replace('"."', '"Where is my order?"'), { last: 1 })
      expect(real.canonical).toBe(bare.canonical)
      expect(real.retention).toBe(retention)
      expect(dialect.probe(real, { primitive: 'floor_tokens', retention })).toEqual(sent)
    }
  })

  test('breakpoints do not change the prefix: markers are controls', () => {
    fc.assert(
      fc.property(
        bodies.filter(({ shots }) => shots.length > 0),
        style,
        (one, choices) => {
          const text = spell(kind.build(one), choices)
          const at = (explicit: ExplicitBreakpoint[]) => prepare(text, { explicit }).canonical
          expect(at([{ itemEnd: 0 }, { itemEnd: first + 1 }])).toBe(at([{ itemEnd: first + 1 }]))
        },
      ),
      { numRuns: 30 },
    )
  })

  test('too many breakpoints: the last ones are set, or the request is refused unsent', () => {
    const shots = Array.from({ length: 12 }, (_, n) => `turn ${n}`)
    const words: Given = { ...WORDS, shots }
    const text = spell(kind.build(words), PLAIN)
    const places = Array.from({ length: first + 12 }, (_, n) => n).filter((n) => canStand(kind, n))
    const ask = (few: number[], mode: CacheRequest['mode']) =>
      dialect.prepare(
        { text, model: kind.model, cache: { mode, strategy: { explicit: few.map((itemEnd) => ({ itemEnd })) } } },
        facts,
      )
    const prefix = ask(places, 'best_effort')
    expect(prefix.advice).toContainEqual({
      cause: 'too_many_breakpoints',
      message: `A request may carry at most ${most} breakpoints, but ${places.length} were requested. Only the last ${most} are set.`,
      at: 'cache.strategy.explicit',
    })
    const sent = dialect.probe(prefix, { primitive: 'floor_tokens', retention: prefix.retention })
    expect(marksIn(kind, readJson(sent.body) as JsonObject)).toEqual(places.slice(-most).map(String))
    expect(refusal(() => ask(places, 'required'))).toMatchObject({
      kind: 'invalid_request',
      detail: { field: 'cache.strategy.explicit', cause: 'too_many_breakpoints' },
    })
    expect(causes(ask(places.slice(-most), 'required'))).not.toContain('too_many_breakpoints')
  })
})

describe('against the lab', () => {
  const [front, middle] = [tokens(3000, 'front'), tokens(3000, 'middle')]
  const said = (type: string, text: string) => [{ type, text }]
  const question = { role: 'user', content: 'And now?' }
  const claude = {
    model: 'claude-opus-4-8',
    system: said('text', front),
    messages: [
      { role: 'user', content: said('text', middle) },
      { role: 'assistant', content: said('text', 'Yes.') },
      question,
    ],
    tools: [{ name: 't', input_schema: { type: 'object' }, description: tokens(3000, 'tool') }],
    max_tokens: 9,
  }
  const gpt = {
    model: 'gpt-6.1-sol',
    input: [
      { role: 'developer', content: said('input_text', front) },
      { role: 'user', content: said('input_text', middle) },
      question,
    ],
  }

  test('Anthropic: a request reads as many of the entries as it shares', async () => {
    const { anthropic } = caller()
    const strategy = { explicit: [{ toolsEnd: true as const }, { itemEnd: 1 }] }
    const { json } = provider('anthropic').probe(claude, { cache: { strategy } })
    expect((await anthropic(json)).status).toBe(200)
    const read = async (body: object) => {
      const { usage } = (await anthropic(body as Record<string, unknown>)).json as { usage: Record<string, number> }
      return usage['cache_read_input_tokens']!
    }
    const marker = { cache_control: { type: 'ephemeral' } }
    const another = { ...claude, system: 'Another one.', tools: [{ ...claude.tools[0], ...marker }] }
    const tools = await read(another)
    expect(tools).toBeGreaterThan(2_900)
    const [first] = claude.messages
    const reply = { role: 'assistant', content: [{ type: 'text', text: 'Yes.', ...marker }] }
    expect(await read({ ...claude, messages: [first, reply, question] })).toBeGreaterThan(tools + 5_800)
  })

  test('OpenAI: a request that shares only the first message reads it', async () => {
    const { responses } = caller()
    const strategy = { explicit: [{ itemEnd: 0 }, { itemEnd: 1 }] }
    const { json } = provider('openai').probe(gpt, { cache: { strategy } })
    expect((await responses(json)).status).toBe(200)
    const cached = async (input: object[]) => {
      const { json: answer } = await responses({ ...gpt, input, max_output_tokens: 16 })
      return (answer as { usage: { input_tokens_details: { cached_tokens: number } } }).usage.input_tokens_details
    }
    expect((await cached([gpt.input[0]!, question])).cached_tokens).toBeGreaterThan(2_900)
    expect((await cached(gpt.input)).cached_tokens).toBeGreaterThan(5_800)
  })
})

test('a prewarm writes at each breakpoint as well', async () => {
  const { responses } = caller()
  const developer = (name: string) => ({
    role: 'developer',
    content: [{ type: 'input_text', text: tokens(3000, name) }],
  })
  const [front, middle] = [developer('front'), developer('middle')]
  const body = { model: 'gpt-6.1-sol', input: [front, middle] }
  const strategy = { explicit: [{ itemEnd: 0 }, { itemEnd: 1 }] }
  const { json } = provider('openai').probe(body, { primitive: 'prewarm', cache: { strategy } })
  expect((await responses(json)).status).toBe(200)
  const question = { role: 'user', content: 'And now?' }
  const answer = await responses({ ...body, input: [front, question], max_output_tokens: 16 })
  expect(answer.json).toMatchObject({ usage: { input_tokens_details: { cached_tokens: expect.any(Number) } } })
  const { usage } = answer.json as { usage: { input_tokens_details: { cached_tokens: number } } }
  expect(usage.input_tokens_details.cached_tokens).toBeGreaterThan(2_900)
})

const thinking = { type: 'thinking', thinking: 'Hm.', signature: 's' }
const empty = [{ type: 'text', text: '' }]
const turn = (content: unknown) => [
  { role: 'user', content: 'Hi' },
  { role: 'assistant', content },
  { role: 'user', content: 'Go' },
  { role: 'assistant', content: 'Yes' },
]
test.each<[string, object, string, string]>([
  ['anthropic', { model: 'claude-opus-5', messages: turn([thinking]) }, 'messages[1].content[0]', 'hidden thinking'],
  ['anthropic', { model: 'claude-opus-5', messages: turn(empty) }, 'messages[1].content[0]', 'empty text'],
  ['anthropic', { model: 'claude-opus-5', messages: turn([]) }, 'cache.strategy.explicit[0]', 'a turn without parts'],
  [
    'bedrock',
    {
      modelId: 'anthropic.claude-opus-5',
      messages: turn([{ reasoningContent: {} }]).with(3, { role: 'assistant', content: [{ text: 'Yes' }] }),
    },
    'messages[1].content[0]',
    'hidden thinking',
  ],
  [
    'openai',
    { model: 'gpt-5.6-sol', input: turn('Yes').with(3, { role: 'user', content: 'x' }) },
    'input[1].content',
    "an assistant's words",
  ],
  [
    'openrouter',
    { model: 'anthropic/claude-opus-5', messages: turn([{ type: 'image_url' }]) },
    'messages[1].content[0]',
    'a picture',
  ],
  [
    'openrouter',
    { model: 'qwen/qwen4', messages: turn('Yes').with(3, markedTurn()) },
    'messages[1].content',
    'a model that probes do not mark',
  ],
])('$0: a breakpoint at $3 is left out, or the request is refused', (id, body, path) => {
  const strategy = { explicit: [{ itemEnd: 1 }, { itemEnd: 3 }] }
  const { prepare } = provider(id)
  expect(prepare(body, { strategy }).advice).toContainEqual({
    cause: 'breakpoint_not_markable',
    message: `${path} cannot carry a marker. This breakpoint is left out.`,
    at: 'cache.strategy.explicit[0]',
  })
  expect(refusal(() => prepare(body, { strategy, mode: 'required' }))).toMatchObject({
    kind: 'unsupported',
    detail: { field: 'cache.strategy.explicit[0]', cause: 'breakpoint_not_markable' },
  })
})

function markedTurn() {
  return { role: 'assistant', content: [{ type: 'text', text: 'Yes', cache_control: { type: 'ephemeral' } }] }
}

test("where markers are only passed on, the body's own count", () => {
  const marked = markedTurn()
  const body = { model: 'qwen/qwen4', messages: [{ ...marked, role: 'user' }, marked] }
  const cache = { mode: 'required', strategy: { explicit: [{ itemEnd: 0 }, { itemEnd: 1 }] } } as const
  expect(
    causes(provider('openrouter').prepare(body, { ...cache, strategy: { explicit: [...cache.strategy.explicit] } })),
  ).toEqual(['conversation_pinned'])
})

test.each<[string, object, CacheRequest['strategy']]>([
  [
    'anthropic',
    {
      model: 'claude-opus-5',
      system: [1, 2, 3, 4].map((n) => ({ type: 'text', text: `${n}`, cache_control: { type: 'ephemeral' } })),
      messages: turn('Yes'),
    },
    { explicit: [{ itemEnd: 1 }, { itemEnd: 3 }] },
  ],
  [
    'bedrock',
    {
      modelId: 'anthropic.claude-opus-5',
      system: [1, 2, 3, 4].flatMap((n) => [{ text: `${n}` }, { cachePoint: { type: 'default' } }]),
      messages: turn('').map(({ role }) => ({ role, content: [{ text: 'x' }] })),
    },
    { explicit: [{ itemEnd: 1 }, { itemEnd: 3 }] },
  ],
])("%s: the first markers make room beside the body's own", (id, body, strategy) => {
  const { prepare, probe } = provider(id)
  expect(prepare(body, { strategy }).advice).toContainEqual(
    expect.objectContaining({ cause: 'marker_dropped', message: expect.stringContaining('omit the first 2') }),
  )
  const { json } = probe(body, { cache: { strategy } })
  const system = JSON.stringify(json['system']).match(/cache_control|cachePoint/g)
  const messages = JSON.stringify(json['messages']).match(/cache_control|cachePoint/g)
  expect([system, messages].map((found) => found?.length)).toEqual([2, 2])
  expect(refusal(() => prepare(body, { strategy, mode: 'required' })).detail).toMatchObject({ cause: 'marker_dropped' })
})

const WORDS: Given = { system: 'S', asBlocks: false, schema: [], number: '1', extra: [], shots: [], last: 'end' }
const PLAIN = [0]

/** On Responses an assistant's words take no breakpoint. */
function canStand({ provider: id }: Case, item: number): boolean {
  return id !== 'openai' || item === 0 || item % 2 === 1
}

function takesTools({ provider: id }: Case): boolean {
  return !id.startsWith('openai')
}

/** Where the markers of a probe stand: at the tools, at the system prompt, or in a turn (by its number). */
function marksIn(kind: Case, probe: JsonObject): string[] {
  const carries = (node: JsonNode | undefined): boolean =>
    items(node).some((item) => member(item, kind.marker ?? '')?.type === 'object')
  const tools = member(probe, 'tools') ?? member(member(probe, 'toolConfig'), 'tools')
  const turns = items(member(probe, kind.turns)).flatMap((turn, n) =>
    carries(member(turn, kind.parts)) ? [String(n)] : [],
  )
  return [...(carries(tools) ? ['tools'] : []), ...(carries(member(probe, 'system')) ? ['system'] : []), ...turns]
}
