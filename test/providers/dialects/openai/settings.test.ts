import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { begins } from '../../begins.ts'
import { provider } from '../../prepared.ts'

const text = 'You answer questions about kilns and glazes. '.repeat(200)
const developer = { role: 'developer', content: text }
const question = { role: 'user', content: 'Who?' }
const chat = (model: string, more: object = {}) => ({ model, messages: [developer, question], ...more })
const responses = (model: string, more: object = {}) => ({ model, input: [developer, question], ...more })
const EFFORTS = ['none', 'minimal', 'low', 'medium', 'high', 'xhigh', 'max']

/** Ids of cards, models, and the effort of a request that names none; null: no document says it. */
const DEFAULTS: readonly [string, string, string | null][] = [
  ['openai', 'o1', 'medium'],
  ['openai', 'o3', 'medium'],
  ['openai', 'o3-mini', 'medium'],
  ['openai', 'o3-pro', 'medium'],
  ['openai', 'o4-mini-2025-04-16', 'medium'],
  ['openai', 'gpt-5', 'medium'],
  ['openai', 'gpt-5-2025-08-07', 'medium'],
  ['openai', 'gpt-5-mini', 'medium'],
  ['openai', 'gpt-5-nano', 'medium'],
  ['openai', 'gpt-5-codex', 'medium'],
  ['openai', 'gpt-5-pro', 'high'],
  ['openai', 'gpt-5-pro-2025-10-06', 'high'],
  ['openai', 'gpt-5.1', 'none'],
  ['openai', 'gpt-5.1-2025-11-13', 'none'],
  ['openai', 'gpt-5.1-codex', 'medium'],
  ['openai', 'gpt-5.2', 'none'],
  ['openai', 'gpt-5.2-pro', null],
  ['openai', 'gpt-5.3-codex', null],
  ['openai', 'gpt-5.4', 'none'],
  ['openai', 'gpt-5.4-mini', 'none'],
  ['openai', 'gpt-5.4-pro', 'medium'],
  ['openai', 'gpt-5.5', 'medium'],
  ['openai', 'gpt-5.5-pro', 'high'],
  ['openai', 'gpt-5.6-sol', 'medium'],
  ['openai', 'gpt-5.6-luna-2026-07-09', 'medium'],
  ['openai', 'gpt-6.1-sol', 'medium'],
  ['openai', 'gpt-9-unknown', null],
  ['azure-openai', 'gpt-5.1', 'none'],
  ['azure-openai', 'gpt-5.6-sol', 'medium'],
  ['bedrock-openai', 'openai.gpt-5.6-sol', 'medium'],
  ['xai-responses', 'grok-4.6', 'high'],
  ['xai-responses', 'grok-4.3', 'low'],
]

describe('an effort at the default of its model is the same as none', () => {
  it.each(DEFAULTS)('%s %s: %s', (id, model, expected) => {
    const named = (effort: string) => responses(model, { reasoning: { effort } })
    const same = EFFORTS.filter((effort) => begins(id, responses(model), named(effort)))
    expect(same).toEqual(expected === null ? [] : [expected])
    const back = EFFORTS.filter((effort) => begins(id, named(effort), responses(model)))
    expect(back).toEqual(same)
  })

  it.each(DEFAULTS.filter(([id]) => id === 'openai' || id === 'azure-openai'))(
    '%s-chat %s: %s',
    (id, model, expected) => {
      const same = EFFORTS.filter((reasoning_effort) =>
        begins(`${id}-chat`, chat(model), chat(model, { reasoning_effort })),
      )
      expect(same).toEqual(expected === null ? [] : [expected])
    },
  )

  it.each<[string, string, string]>([
    ['xai', 'grok-4.5', 'high'],
    ['deepseek', 'deepseek-v4-pro', 'high'],
    ['moonshot', 'kimi-k3', 'max'],
  ])('%s %s: %s', (id, model, effort) => {
    expect(begins(id, chat(model), chat(model, { reasoning_effort: effort }))).toBe(true)
    expect(begins(id, chat(model), chat(model, { reasoning_effort: 'low' }))).toBe(false)
  })

  it('whatever stands beside it', () => {
    const shown = { summary: 'auto', generate_summary: 'detailed', mode: 'standard', context: 'auto' }
    const sent = responses('gpt-5.1', { reasoning: { effort: 'none', ...shown } })
    expect(begins('openai', responses('gpt-5.1'), sent)).toBe(true)
    expect(begins('openai', responses('gpt-5.6-sol'), responses('gpt-5.6-sol', { reasoning: { mode: 'pro' } }))).toBe(
      false,
    )
  })

  it('of a model that is not known, and two of its efforts are never one', () => {
    const efforts = fc.constantFrom<string | null>(null, ...EFFORTS)
    fc.assert(
      fc.property(fc.constantFrom('gpt-5.2-pro', 'gpt-5', 'gpt-5.1'), efforts, efforts, (model, one, other) => {
        const own = (effort: string | null) => (effort === null ? {} : { reasoning: { effort } })
        const isSame = begins('openai', responses(model, own(one)), responses(model, own(other)))
        const { defaultEffort = null } = provider('openai').facts(model)
        expect(isSame).toBe((one ?? defaultEffort) === (other ?? defaultEffort))
      }),
    )
  })
})

describe('what chooses a server keeps no prefixes apart', () => {
  const router = (more: object = {}) => ({
    model: 'anthropic/claude-opus-4.8',
    messages: [developer, question],
    ...more,
  })
  const objects = [
    { order: ['anthropic'] },
    { order: ['amazon-bedrock', 'anthropic'], allow_fallbacks: false },
    { only: ['azure'] },
    { ignore: ['deepinfra'], sort: 'price' },
    { data_collection: 'deny', require_parameters: true, zdr: true },
    { quantizations: ['fp8'], max_price: { prompt: 1 } },
  ]
  it.each(objects)('provider %j', (object) => {
    for (const [one, other] of [
      [router({ provider: object }), router()],
      [router(), router({ provider: object })],
      [router({ provider: objects[0] }), router({ provider: object })],
    ])
      expect(begins('openrouter', one, other)).toBe(true)
  })

  it.each<[string, object]>([
    [
      'openrouter',
      { models: ['openai/gpt-5'], route: 'fallback', transforms: ['middle-out'], usage: { include: true } },
    ],
    ['openrouter', { user: 'u', metadata: { a: 'b' }, trace: { id: 't' }, plugins: [], reasoning: { exclude: true } }],
    ['openrouter', { providerOptions: { gateway: { order: ['bedrock'], sort: 'cost', tags: ['x'] } } }],
    ['openai-chat', { user: 'u', safety_identifier: 's', metadata: { a: 'b' }, store: true, service_tier: 'auto' }],
    ['azure-openai-chat', { user_security_context: { application_name: 'a' } }],
    ['vllm', { priority: 3, request_id: 'r', service_tier: 'flex' }],
    ['together', { tags: ['x'], fallbacks: ['y'], num_retries: 2, litellm_session_id: 's', metadata: { a: 1 } }],
    ['fireworks', { user: 'ada', prompt_cache_key: 'k' }],
  ])('%s %j', (id, more) => {
    expect(begins(id, router(), router(more))).toBe(true)
    expect(begins(id, router(more), router())).toBe(true)
  })

  it('what is put into a prompt still does', () => {
    for (const more of [
      { plugins: [{ id: 'web' }] },
      { providerOptions: { anthropic: { effort: 'low' } } },
      { web_search_options: {} },
    ])
      expect(begins('openrouter', router(), router(more))).toBe(false)
    expect(begins('openai-chat', chat('gpt-5'), chat('gpt-5', { service_tier: 'flex' }))).toBe(false)
  })

  it('two names of one tier are one', () => {
    const [fast, priority] = ['fast', 'priority'].map((service_tier) => responses('gpt-5.6-sol', { service_tier }))
    expect(begins('openai', fast, priority)).toBe(true)
    expect(begins('openai', fast, responses('gpt-5.6-sol'))).toBe(false)
  })

  it.each<[string, object, string | undefined]>([
    ['openrouter', { provider: { order: ['a', 'b'], sort: 'price' } }, '{"provider.order":["a","b"]}'],
    ['openrouter', { provider: { only: ['a'], order: null } }, '{"provider.only":["a"]}'],
    ['openrouter', { provider: { sort: 'price' } }, ''],
    ['openrouter', {}, ''],
    ['fireworks', { user: 'ada' }, '{"user":"ada"}'],
    ['openai-chat', { user: 'ada' }, undefined],
  ])('%s keeps beside the prefix of %j: %s', (id, more, routing) => {
    expect(provider(id).prepare(router(more)).routing).toBe(routing)
  })
})

describe('a message of the system is a developer’s at OpenAI', () => {
  const system = { role: 'system', content: text }
  it.each(['openai-chat', 'azure-openai-chat'])('%s', (id) => {
    for (const model of ['gpt-5.6-sol', 'o3', 'gpt-4.1'])
      expect(begins(id, chat(model), { model, messages: [system, question] })).toBe(true)
  })

  it('in Responses, and as instructions', () => {
    for (const model of ['gpt-5.6-sol', 'gpt-5.1']) {
      const parts = { type: 'message', role: 'system', content: [{ type: 'input_text', text }] }
      const forms = [
        { model, instructions: text, input: [question] },
        { model, instructions: text, input: 'Who?' },
        { model, input: [developer, question] },
        { model, input: [parts, question] },
      ]
      for (const one of forms) for (const other of forms) expect(begins('openai', one, other)).toBe(true)
    }
  })

  it('instructions stand in front of the messages', () => {
    const model = 'gpt-5.6-sol'
    const more = { role: 'developer', content: 'Be brief.' }
    const both = { model, instructions: text, input: [more, question] }
    expect(begins('openai', both, { model, input: [developer, more, question] })).toBe(true)
    expect(begins('openai', both, { model, input: [more, developer, question] })).toBe(false)
    expect(begins('openai', both, { model, instructions: `${text}Be brief.`, input: [question] })).toBe(false)
  })

  it('and not at servers that may render the two differently', () => {
    for (const id of ['vllm', 'openrouter', 'xai', 'groq'])
      expect(begins(id, chat('m'), { model: 'm', messages: [system, question] })).toBe(false)
  })

  it('an answer is the same as a text and as the part that the API gave', () => {
    const end = { type: 'input_text', text: 'And?', prompt_cache_breakpoint: { mode: 'explicit' } }
    const turn = (content: unknown) => ({
      model: 'gpt-5.6-sol',
      input: [
        developer,
        { role: 'user', content: 'Read.' },
        { role: 'assistant', content },
        { role: 'user', content: [end] },
        { role: 'assistant', content: 'Well.' },
        question,
      ],
    })
    const part = { type: 'output_text', text: 'Done.', annotations: [], logprobs: [] }
    expect(begins('openai', turn([part]), turn('Done.'))).toBe(true)
    expect(begins('openai', turn([{ ...part, annotations: [{ type: 'url_citation' }] }]), turn('Done.'))).toBe(false)
  })
})
