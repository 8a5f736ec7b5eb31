import { describe, expect, it } from 'vitest'
import { lintPrefix } from '../../../src/providers/lint/lint.ts'
import { cardById, cards, dialectOf, modelFacts } from '../../../src/providers/registry.ts'
import type { Finding } from '../../../src/core/model/advice.ts'

const NOW = Date.UTC(2026, 10, 21)
const RULES = 'You answer questions about tents, stoves and sleeping mats for a shop in the mountains.\n'.repeat(400)

/** Prepares a body as a registration does, and lints what is kept of it. */
function findings(provider: string, body: Record<string, unknown>, model?: string): Finding[] {
  const card = cardById(provider)
  if (card === undefined) throw new Error('there is no such provider')
  const facts = (id: string) => modelFacts(card, id, NOW)
  const named = model === undefined ? {} : { model }
  const prefix = dialectOf(card).prepare({ text: JSON.stringify(body), ...named }, facts)
  return lintPrefix(cardById(provider)!, prefix, facts(prefix.model), '/request')
}
const user = { role: 'user', content: 'Which tent?' }
const claude = (body: Record<string, unknown>) => ({
  model: 'claude-opus-4-8',
  max_tokens: 9,
  messages: [user],
  ...body,
})

describe('a clean body', () => {
  const tool = { name: 'find', description: 'Finds a tent.' }
  const system = { text: RULES }
  const bodies: [string, Record<string, unknown>, string?][] = [
    ['anthropic', claude({ tools: [{ ...tool, input_schema: {} }], system: [{ type: 'text', ...system }] })],
    ['openai', { model: 'gpt-5.6-sol', tools: [{ type: 'function', ...tool }], instructions: RULES, input: [user] }],
    ['openai-chat', { model: 'gpt-5.6-sol', messages: [{ role: 'developer', content: RULES }, user] }],
    [
      'gemini',
      { systemInstruction: { parts: [system] }, contents: [{ role: 'user', parts: [{ text: 'Hi' }] }] },
      'gemini-3.1-pro-preview',
    ],
    [
      'bedrock',
      {
        system: [system, { cachePoint: { type: 'default' } }],
        messages: [{ role: 'user', content: [{ text: 'Hi' }] }],
      },
      'anthropic.claude-opus-4-8',
    ],
  ]

  it.each(bodies)('is clean for %s', (provider, body, model) => {
    expect(findings(provider, body, model)).toEqual([])
  })
})

describe('places', () => {
  it.each([
    ['anthropic', claude({ system: `Today is 2026-11-21.\n${RULES}` }), '/request/system'],
    [
      'anthropic',
      claude({ system: [{ type: 'text', text: `Today is 2026-11-21.\n${RULES}` }] }),
      '/request/system/0/text',
    ],
    [
      'anthropic',
      claude({ system: RULES, tools: [{ name: 'a', description: 'Today is 2026-11-21.', input_schema: {} }] }),
      '/request/tools/0/description',
    ],
    [
      'openai',
      { model: 'gpt-5.6-sol', instructions: `${RULES}Today is 2026-11-21.`, input: [user] },
      '/request/instructions',
    ],
    [
      'openai-chat',
      { model: 'gpt-5.6-sol', messages: [{ role: 'system', content: `${RULES}Today is 2026-11-21.` }, user] },
      '/request/messages/0/content',
    ],
  ])('%s', (provider, body, at) => {
    expect(findings(provider, body)[0]).toMatchObject({ cause: 'date', at })
  })

  it('ignores text behind the prefix, which may change', () => {
    const asked = { role: 'user', content: 'Today is 2026-11-21. Request ID: 8f14e45f' }
    expect(findings('anthropic', claude({ system: RULES, messages: [asked] }))).toEqual([])
  })

  it("reads a tool's texts, without enums and examples", () => {
    const input_schema = {
      type: 'object',
      properties: {
        at: { type: 'string', examples: ['2026-11-21T10:32:07Z'], default: '7c9e6679-7425-40de-944b-e07fc1f90ae7' },
      },
    }
    expect(findings('anthropic', claude({ system: RULES, tools: [{ name: 'a', input_schema }] }))).toEqual([])
  })
})

describe('markers', () => {
  const mark = (ttl?: string) => ({ cache_control: { type: 'ephemeral', ...(ttl === undefined ? {} : { ttl }) } })
  const part = (text: string, rest = {}) => ({ type: 'text', text, ...rest })

  it('finds a marker behind changing text', () => {
    const system = [part('Current time: 10:32'), part(RULES, mark())]
    expect(findings('anthropic', claude({ system })).map(({ cause, at }) => [cause, at])).toEqual([
      ['timestamp', '/request/system/0/text'],
      ['volatile_before_stable', '/request/system/0/text'],
      ['marker_after_volatile', '/request/system/1/cache_control'],
    ])
  })

  it('finds more than four, longer behind shorter ones, and too large distances', () => {
    // Five at Anthropic itself are refused at once, by its card and by Bedrock's.
    const content = Array.from({ length: 5 }, () => part(RULES, mark()))
    const passedOn = { model: 'anthropic/claude-opus-4.8', messages: [{ role: 'system', content }, user] }
    expect(findings('openrouter', passedOn)).toMatchObject([
      { cause: 'too_many_breakpoints', at: '/request/messages/0/content/4/cache_control' },
    ])
    const mixed = [part(RULES, mark()), part(RULES, mark('1h'))]
    expect(findings('anthropic', claude({ system: mixed }))).toMatchObject([
      { cause: 'retention_order', at: '/request/system/1/cache_control' },
    ])
    const many = Array.from({ length: 21 }, () => part('Rule.'))
    const far = [part(RULES, mark()), ...many, part('End.', mark())]
    expect(findings('anthropic', claude({ system: far }))).toMatchObject([{ cause: 'distant_breakpoint' }])
  })

  it('reads a cache point of Bedrock as a marker of the part in front of it', () => {
    const system = [{ text: `Today is 2026-11-21.\n${RULES}` }, { cachePoint: { type: 'default' } }]
    const body = { system, messages: [{ role: 'user', content: [{ text: 'Hi' }] }] }
    expect(findings('bedrock', body, 'anthropic.claude-opus-4-8').map(({ cause }) => cause)).toContain(
      'marker_after_volatile',
    )
  })
})

describe('tools', () => {
  it('are found in each wire format', () => {
    const names = ['find', 'book']
    const bodies: [string, Record<string, unknown>, string?][] = [
      ['anthropic', claude({ system: RULES, tools: names.map((name) => ({ name, input_schema: {} })) })],
      [
        'openai',
        {
          model: 'gpt-5.6-sol',
          tools: names.map((name) => ({ type: 'function', name })),
          instructions: RULES,
          input: [],
        },
      ],
      [
        'openai-chat',
        {
          model: 'gpt-5.6-sol',
          tools: names.map((name) => ({ type: 'function', function: { name } })),
          messages: [{ role: 'system', content: RULES }],
        },
      ],
      [
        'gemini',
        {
          tools: [{ functionDeclarations: names.map((name) => ({ name })) }],
          systemInstruction: { parts: [{ text: RULES }] },
          contents: [],
        },
        'gemini-3.1-pro-preview',
      ],
      [
        'bedrock',
        {
          toolConfig: { tools: names.map((name) => ({ toolSpec: { name, inputSchema: { json: {} } } })) },
          system: [{ text: RULES }],
          messages: [],
        },
        'anthropic.claude-opus-4-8',
      ],
    ]
    for (const [provider, body, model] of bodies) {
      expect([provider, findings(provider, body, model).map(({ cause }) => cause)]).toEqual([
        provider,
        ['unstable_tool_order'],
      ])
    }
  })
})

describe('parameters', () => {
  it.each([
    ['anthropic', claude({ system: RULES, tool_choice: { type: 'tool', name: 'a' } }), '/request/tool_choice'],
    [
      'anthropic',
      { ...claude({ system: RULES, thinking: { type: 'enabled', budget_tokens: 2048 } }), model: 'claude-opus-5' },
      '/request/thinking',
    ],
    ['openai', { model: 'gpt-5.6-sol', instructions: RULES, input: [], truncation: 'auto' }, '/request/truncation'],
    [
      'openai-chat',
      {
        model: 'gpt-5.6-sol',
        messages: [{ role: 'system', content: RULES }],
        tool_choice: { type: 'function', function: { name: 'a' } },
      },
      '/request/tool_choice',
    ],
  ])('%s: gives a hint about a parameter that breaks the cache when it changes', (provider, body, at) => {
    expect(findings(provider, body)).toMatchObject([{ cause: 'breaking_parameter', severity: 'hint', at }])
  })

  it('finds a cache key that no other request has', () => {
    const body = (prompt_cache_key: string) => ({
      model: 'gpt-5.6-sol',
      instructions: RULES,
      input: [],
      prompt_cache_key,
    })
    expect(findings('openai', body('run-7c9e6679-7425-40de-944b-e07fc1f90ae7'))).toMatchObject([
      { cause: 'volatile_cache_key', severity: 'warning', at: '/request/prompt_cache_key' },
    ])
    expect(findings('openai', body('support-agent-v7'))).toEqual([])
  })

  it.each([
    'ses_5c1b2d3e4ffeABCdefGHIjkl',
    'thread_abc123def456',
    'conv_67ccd2bed1ec8190b14f964abc054267',
    'session-20261130',
    'acme:run_4f2a9c',
    '01J9Z3K4M5N6P7Q8R9S0T1V2W3',
    '9f86d081884c7d659a2feaa0c55ad015',
  ])('finds that the cache key %s is the id of one session', (prompt_cache_key) => {
    const body = { model: 'gpt-5.6-sol', instructions: RULES, input: [], prompt_cache_key }
    expect(findings('openai', body)).toMatchObject([{ cause: 'volatile_cache_key' }])
  })

  it.each([
    'workspace:acme',
    'session-store',
    'conv-support',
    'chat_v2',
    'thread-pool-16',
    'agent-2',
    'job:nightly',
    'gpt-5.6-sol:support',
    'tenant-1042',
  ])('lets the cache key %s pass', (prompt_cache_key) => {
    const body = { model: 'gpt-5.6-sol', instructions: RULES, input: [], prompt_cache_key }
    expect(findings('openai', body)).toEqual([])
  })
})

it('compares the size with the minimum of the model', () => {
  expect(findings('anthropic', claude({ system: 'Be kind.' }))).toMatchObject([{ cause: 'below_minimum' }])
  expect(findings('anthropic', claude({ system: 'Be kind.', model: 'claude-unheard-of' }))).toEqual([])
})

it('knows the layout of every provider', () => {
  expect(
    cards
      .map(({ id }) => id)
      .filter(
        (id) =>
          lintPrefix(cardById(id)!, { text: '{}', estimatedTokens: 9_000, cacheKey: null }, { minimumTokens: null }, '')
            .length > 0,
      ),
  ).toEqual([])
})
