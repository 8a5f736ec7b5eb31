import { describe, expect, it } from 'vitest'
import { at, caller, tokens } from './caller.ts'
import type { Json } from './caller.ts'

/** What the Messages API refuses, by the words of its 400. Each rule names its source where it is checked. */

const MARK = { type: 'ephemeral' }
const RULES = { type: 'text', text: tokens(5000), cache_control: MARK }
const tool = (name: string, more: Json = {}): Json => ({ name, input_schema: { type: 'object' }, ...more })
const turns = (...contents: unknown[]): Json[] =>
  contents.map((content, i) => ({ role: i % 2 === 0 ? 'user' : 'assistant', content }))

function body(overrides: Json): Json {
  return { model: 'claude-opus-4-6', max_tokens: 3000, system: [RULES], messages: turns('Hello'), ...overrides }
}

/** The message of a refusal, or `fine`. */
async function said(overrides: Json): Promise<string> {
  const { status, json } = await caller().anthropic(body(overrides))
  return status === 200 ? 'fine' : `${status} ${String(at(json, 'error.message'))}`
}

describe('a marker is refused', () => {
  const deferred = tool('late', { defer_loading: true, cache_control: MARK })

  it.each<[string, Json, string]>([
    ['on a deferred tool', { tools: [tool('now'), deferred] }, 'both defer_loading=true and cache_control'],
    [
      'on empty text of the system',
      { system: [RULES, { ...RULES, text: '' }] },
      'system.1: cache_control cannot be set',
    ],
    [
      'on empty text of a message',
      {
        messages: turns([
          { type: 'text', text: 'a' },
          { type: 'text', text: '', cache_control: MARK },
        ]),
      },
      'messages.0.content.1.text: cache_control cannot be set for empty text blocks',
    ],
    [
      'on empty text in the result of a tool',
      {
        tools: [tool('x')],
        messages: turns(
          'a',
          [{ type: 'tool_use', id: 't', name: 'x', input: {} }],
          [{ type: 'tool_result', tool_use_id: 't', content: [{ type: 'text', text: '', cache_control: MARK }] }],
        ),
      },
      'messages.2.content.0.tool_result.content.0.text: cache_control cannot be set for empty text blocks',
    ],
    [
      'on thinking',
      { messages: turns('a', [{ type: 'thinking', thinking: 'b', signature: 'c', cache_control: MARK }], 'd') },
      'messages.1.content.0.thinking.cache_control: Extra inputs',
    ],
    [
      'on redacted thinking',
      { messages: turns('a', [{ type: 'redacted_thinking', data: 'b', cache_control: MARK }], 'd') },
      'messages.1.content.0.redacted_thinking.cache_control: Extra inputs',
    ],
    ['on a message', { messages: [{ role: 'user', content: 'a', cache_control: MARK }] }, 'messages.0.cache_control'],
    [
      'with a number for its lifetime',
      { system: [{ ...RULES, cache_control: { ...MARK, ttl: 300 } }] },
      "'5m' or '1h'",
    ],
    ['with no lifetime', { system: [{ ...RULES, cache_control: { ...MARK, ttl: null } }] }, "'5m' or '1h'"],
    ['with an unknown lifetime', { system: [{ ...RULES, cache_control: { ...MARK, ttl: '24h' } }] }, "'5m' or '1h'"],
    [
      'with an unknown member',
      { system: [{ ...RULES, cache_control: { ...MARK, scope: 'x' } }] },
      'ephemeral.scope: Extra',
    ],
    ['that is a word', { system: [{ ...RULES, cache_control: 'ephemeral' }] }, 'valid dictionary'],
    [
      'at the top with a number',
      { cache_control: { ...MARK, ttl: 3600 } },
      "cache_control.ephemeral.ttl: Input should be '5m' or '1h'",
    ],
  ])('%s', async (_, change, words) => {
    expect(await said(change)).toContain(words)
  })

  it('four times it is not, five times it is, wherever they stand', async () => {
    const four = { tools: [tool('a', { cache_control: MARK })], messages: turns([RULES, RULES]) }
    expect(await said(four)).toBe('fine')
    expect(await said({ ...four, messages: turns([RULES, RULES, RULES]) })).toContain('Found 5')
  })
})

describe('members and content are refused', () => {
  it.each<[string, Json, string]>([
    ['betas in the body', { betas: ['context-1m-2025-08-07'] }, 'betas: Extra inputs are not permitted'],
    [
      'empty text',
      {
        messages: turns([
          { type: 'text', text: '' },
          { type: 'text', text: 'a' },
        ]),
      },
      'must be non-empty',
    ],
    [
      'blank text',
      {
        messages: turns([
          { type: 'text', text: ' ' },
          { type: 'text', text: 'a' },
        ]),
      },
      'non-whitespace',
    ],
    [
      'empty text of the system',
      { system: [{ type: 'text', text: '' }] },
      'system: text content blocks must be non-empty',
    ],
    ['an empty message', { messages: turns('a', '', 'b') }, 'messages.1: all messages must have non-empty content'],
    ['an answer begun by the caller', { messages: turns('a', 'b') }, 'assistant message prefill'],
    ['two tools of one name', { tools: [tool('a'), tool('a')] }, 'Tool names must be unique'],
    ['a choice of tools without tools', { tool_choice: { type: 'auto' } }, 'while providing tools'],
    [
      'tools that are all loaded later',
      { tools: [tool('a', { defer_loading: true })] },
      'All tools cannot be deferred',
    ],
  ])('%s', async (_, change, words) => {
    expect(await said(change)).toContain(words)
  })

  it('takes an answer begun by the caller on earlier models, without a blank at its end', async () => {
    const model = 'claude-sonnet-4-5'
    expect(await said({ model, messages: turns('a', 'It is') })).toBe('fine')
    expect(await said({ model, messages: turns('a', 'It is ') })).toContain('trailing whitespace')
  })
})

const ENABLED = { type: 'enabled', budget_tokens: 1024 }
const TAKES: [model: string, thinking: string, sampling: boolean, forced: boolean][] = [
  ['claude-haiku-4-5', 'enabled disabled', true, true],
  ['claude-opus-4-6', 'enabled disabled adaptive', true, true],
  ['claude-opus-4-7', 'disabled adaptive', false, true],
  ['claude-opus-4-8', 'disabled adaptive', false, true],
  ['claude-sonnet-5', 'disabled adaptive', false, true],
  ['claude-opus-5', 'disabled adaptive', false, true],
  ['claude-fable-5', 'adaptive', false, true],
  ['claude-fable-5-1', 'adaptive', false, false],
  ['claude-sonnet-5-5', 'adaptive between_tools', false, false],
  ['claude-opus-5-5', 'adaptive between_tools', false, false],
  ['claude-mythos-preview', 'enabled adaptive', false, true],
]

describe.each(TAKES)('%s', (model, thinking, sampling, forced) => {
  it(`takes ${thinking} thinking and no other`, async () => {
    for (const type of ['enabled', 'disabled', 'adaptive', 'between_tools']) {
      const answer = await said({ model, thinking: type === 'enabled' ? ENABLED : { type } })
      expect([type, answer]).toEqual([
        type,
        thinking.split(' ').includes(type) ? 'fine' : expect.stringContaining('not supported'),
      ])
    }
  })

  it(`takes ${sampling ? 'a' : 'no'} temperature besides the default`, async () => {
    const refused = sampling ? 'fine' : '400 `temperature` is deprecated for this model.'
    expect([await said({ model, temperature: 0.2 }), await said({ model, temperature: 1 })]).toEqual([refused, 'fine'])
  })

  it(`takes ${forced ? 'a' : 'no'} forced tool`, async () => {
    const answer = await said({ model, tools: [tool('a')], tool_choice: { type: 'any' } })
    expect(answer).toEqual(forced ? 'fine' : expect.stringContaining('type "tool" and "any" are not supported'))
  })
})

describe('settings exclude one another', () => {
  it.each<[string, Json, string]>([
    ['a temperature beside thinking', { thinking: ENABLED, temperature: 0.5 }, 'may only be set to 1'],
    [
      'a forced tool beside thinking',
      { thinking: ENABLED, tools: [tool('a')], tool_choice: { type: 'any' } },
      'forces tool use',
    ],
    [
      'no thinking at the highest effort',
      { model: 'claude-opus-5', thinking: { type: 'disabled' }, output_config: { effort: 'max' } },
      'effort "max"',
    ],
    ['an effort that there is not', { output_config: { effort: 'none' } }, 'Input should be'],
    [
      'a budget between tools',
      { model: 'claude-sonnet-5-5', thinking: { type: 'between_tools', budget_tokens: 1024 } },
      'Extra inputs',
    ],
  ])('%s', async (_, change, words) => {
    expect(await said(change)).toContain(words)
  })
})

describe('what is not in the prompt', () => {
  const usage = async (lab: ReturnType<typeof caller>, overrides: Json) => {
    const { status, json } = await lab.anthropic(body(overrides))
    expect(status).toBe(200)
    const read = Number(at(json, 'usage.cache_read_input_tokens'))
    return { read, written: Number(at(json, 'usage.cache_creation_input_tokens')) }
  }
  const late = (name: string) => tool(name, { defer_loading: true, description: tokens(3000, name) })

  it('deferred tools neither count nor matter, in whatever order', async () => {
    const lab = caller()
    const first = await usage(lab, { tools: [tool('now'), late('a'), late('b')] })
    expect(first.written).toBeLessThan(5100)
    expect((await usage(lab, { tools: [late('b'), tool('now'), late('a')] })).read).toBe(first.written)
    expect((await usage(lab, { tools: [tool('now')] })).read).toBe(first.written)
    expect((await usage(lab, { tools: [tool('other'), late('a')] })).read).toBe(0)
  })

  it('a server’s token', async () => {
    const lab = caller()
    const server = (token: string) => ({
      mcp_servers: [{ type: 'url', url: 'https://mcp.test', name: 'm', authorization_token: token }],
    })
    const { written } = await usage(lab, server('one'))
    expect((await usage(lab, server('two'))).read).toBe(written)
  })

  it.each<[string, Json]>([
    ['claude-opus-4-8', { thinking: { type: 'disabled' } }],
    ['claude-sonnet-5', { thinking: { type: 'adaptive' } }],
    ['claude-fable-5', { thinking: { type: 'adaptive' } }],
    ['claude-opus-4-8', { output_config: { effort: 'high' } }],
    ['claude-opus-4-8', { tools: [], tool_choice: { type: 'none' } }],
  ])('%s: a default that is said', async (model, change) => {
    const lab = caller()
    const messages = turns([RULES, { type: 'text', text: 'And?' }])
    const { written } = await usage(lab, { model, messages })
    const again = await usage(lab, { model, messages, ...change })
    expect(again.read).toBe('tool_choice' in change ? 5000 : written)
  })

  it('the same said thing where it is not the default', async () => {
    const lab = caller()
    await usage(lab, { model: 'claude-sonnet-5' })
    expect((await usage(lab, { model: 'claude-sonnet-5', thinking: { type: 'disabled' } })).read).toBe(0)
  })
})
