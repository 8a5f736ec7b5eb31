import { describe, expect, it, vi } from 'vitest'
import { anthropic, begin, ended, hear, openai, say, SYSTEM } from './support.ts'
import { get, pick, post, useLab } from '../support.ts'

const world = useLab()

interface Block {
  type?: string
  text?: string
  cache_control?: { ttl?: string }
}

interface Sent {
  tools?: Block[]
  system?: Block[]
  messages: { role: string; content: Block[] }[]
}

/** Bodies of the calls to the model so far. */
function sent(): Sent[] {
  return vi.mocked(globalThis.fetch).mock.calls.map(([, init]) => JSON.parse(String(init?.body)) as Sent)
}

/** Places of the markers in a body of Anthropic's, in the order of the prompt. */
function marksOf({ tools = [], system = [], messages }: Sent): string[] {
  const at = (blocks: Block[], place: string) =>
    blocks.flatMap(({ cache_control: marker }, index) =>
      marker === undefined ? [] : [`${place}[${index}]${marker.ttl === undefined ? '' : ` ${marker.ttl}`}`],
    )
  return [
    ...at(tools, 'tools'),
    ...at(system, 'system'),
    ...messages.flatMap(({ content }, index) => at(content, `messages[${index}]`)),
  ]
}

const explicit = (...points: unknown[]) => ({ strategy: { explicit: points } })

describe('breakpoints of a bot', () => {
  it('stand where they are asked for, and nowhere else', async () => {
    const id = await begin({ ...anthropic, cache: explicit('tools_end', { item_end: 0 }, { part_end: [1, 0] }) })
    await say(id, 'Which tent for two?')
    await say(id, 'And which stove?')
    // In the first turn there is no item 1 yet: its breakpoint stands at the last one.
    expect(sent().map(marksOf)).toEqual([
      ['tools[0]', 'messages[0][0]'],
      ['tools[0]', 'messages[0][0]', 'messages[1][0]'],
    ])
    expect(pick(await get(`/bots/${id}`), 'cache')).toMatchObject({
      strategy: { explicit: ['tools_end', { item_end: 0 }, { part_end: [1, 0] }] },
    })
  })

  it.each([
    [{ breakpoints: 1 }, ['messages[2][0]']],
    [{ breakpoints: 2 }, ['messages[0][0]', 'messages[2][0]']],
    [{ breakpoints: 3 }, ['system[0]', 'messages[0][0]', 'messages[2][0]']],
    [{ strategy: { last: 1 } }, ['system[0]', 'messages[0][0]', 'messages[1][0]']],
    [{ strategy: { last: 9 } }, ['system[0]']],
  ])('as counts: %j', async (cache, marks) => {
    const id = await begin({ ...anthropic, cache })
    await say(id, 'Which tent for two?')
    await say(id, 'And which stove?')
    expect(marksOf(sent()[1]!)).toEqual(marks)
  })

  it('hold for one turn, from next-turn-cache and from a message', async () => {
    const id = await begin({ ...anthropic, cache: { retention: '1h' } })
    const set = await post(`/bots/${id}/next-turn-cache`, { cache: explicit('tools_end') })
    expect(set.json).toMatchObject({ cache: { retention: '5m', strategy: { explicit: ['tools_end'] } } })
    await say(id, 'Which tent for two?')
    const taken = await post(`/bots/${id}/messages`, { text: 'And which stove?', cache: { breakpoints: 1 } })
    await ended(id, pick(taken, 'turn_id') as string)
    await say(id, 'And in winter?')
    expect(sent().map(marksOf)).toEqual([
      ['tools[0]'],
      ['messages[2][0]'],
      ['system[0] 1h', 'messages[2][0] 1h', 'messages[4][0] 1h'],
    ])
  })

  it('that cannot be set are named, in the answer and in the message', async () => {
    const made = await post('/bots', {
      ...anthropic,
      inject_time: false,
      cache: explicit('tools_end', { item_end: 7 }),
    })
    expect(pick(made, 'advice')).toEqual([
      expect.objectContaining({ cause: 'no_tools', at: 'cache.strategy.explicit[0]' }),
    ])
    const id = pick(made, 'id') as string
    const { heard } = await hear(id)
    await say(id, 'Which tent for two?')
    await vi.waitFor(() => expect(heard).toHaveLength(1), 60_000)
    expect(heard[0]).toMatchObject({
      type: 'message',
      advice: [
        { cause: 'no_tools', at: 'cache.strategy.explicit[0]' },
        { cause: 'breakpoint_moved', at: 'cache.strategy.explicit[1]', message: expect.stringContaining('item 7') },
      ],
    })
    expect(sent().map(marksOf)).toEqual([['messages[0][0]']])
  })

  it('end what is kept warm: a keep-alive reads what each turn reads', async () => {
    const id = await begin({ ...anthropic, cache: explicit('tools_end', { item_end: 0 }) })
    await say(id, 'Which tent is kept?')
    await say(id, 'And which stove?')
    const kept = pick(await get(`/prefixes?name=${id}`), 'data', 0, 'id') as string
    const body = pick(await get(`/prefixes/${kept}/request`), 'request') as Sent
    expect(body.messages).toHaveLength(1)
    expect(marksOf(body)).toEqual(['tools[0]', 'messages[0][0]'])
    const warmed = await post(`/prefixes/${kept}/warm`, {})
    expect(pick(warmed, 'receipt', 'kind')).toBe('full')
    await say(id, 'And in winter?')
    const [, second, third] = (pick(await get(`/bots/${id}`), 'calls') as { cost_usd: number }[]).toReversed()
    expect(third?.cost_usd).toBeCloseTo(second?.cost_usd ?? 0, 3)
  })

  it('stand at one call of an answer, and at one result of a round', async () => {
    const tools = [{ name: 'look', description: 'Looks it up.', url: 'https://tools.example/' }]
    const id = await begin({ ...anthropic, tools, cache: explicit({ part_end: [1, 0] }, { part_end: [2, 0] }) })
    await say(id, 'Which?\nlab: call look {} & look {}')
    const [, after] = sent().filter(({ messages }) => messages !== undefined)
    expect(after?.messages[1]?.content.map(({ type }) => type)).toEqual(['tool_use', 'tool_use'])
    expect(after === undefined ? [] : marksOf(after)).toEqual(['messages[1][0]', 'messages[2][0]'])
    // No prefix ends between a call and its result, so nothing new is kept warm.
    expect(pick(await get(`/prefixes?name=${id}`), 'data')).toEqual([])
  })
})

describe('a cache that a turn requires', () => {
  it('is honoured by writes and reads, and the turn is answered', async () => {
    const id = await begin({ ...anthropic, cache: { mode: 'required', retention: '1h' } })
    const { heard } = await hear(id)
    for (const text of ['Which tent for two?', 'And which stove?']) await say(id, text)
    await vi.waitFor(() => expect(heard).toHaveLength(2), 60_000)
    expect(heard.map(({ type }) => type)).toEqual(['message', 'message'])
  })

  it.each([
    { name: 'Anthropic', body: { ...anthropic, system_prompt: 'You sell tents.' } },
    { name: 'OpenAI', body: { ...openai, system_prompt: 'You sell tents.' } },
  ])('fails the turn on $name if the prompt is too small, and says the cost', async ({ body }) => {
    const id = await begin({ ...body, cache: { mode: 'required' } })
    const { heard } = await hear(id)
    const turn = await say(id, 'Which tent for two?')
    await vi.waitFor(() => expect(heard).toHaveLength(1), 60_000)
    const [failed] = heard
    expect(failed).toMatchObject({
      type: 'failed',
      turn_id: turn,
      billed: true,
      failure: { kind: 'cache_not_honoured', retryable: false, detail: { cached_input_tokens: 0 } },
    })
    const cost = Number(failed?.['cost_usd'])
    expect(cost).toBeGreaterThan(0)
    expect(failed).toMatchObject({ failure: { message: expect.stringContaining(`It cost $${cost.toPrecision(3)}.`) } })
    const seen = await get(`/bots/${id}`)
    expect(seen.json).toMatchObject({ usage: { turns: 0 }, last_response: null, spent_usd: cost })
  })

  it('fails the turn if the provider wrote at another retention', async () => {
    const id = await begin({ ...anthropic, cache: { mode: 'required', retention: '1h' } })
    const { heard } = await hear(id)
    world.lab.faults.add({ kind: 'downgrade_ttl', provider: 'anthropic', times: 1 })
    await say(id, 'Which tent for two?')
    await vi.waitFor(() => expect(heard).toHaveLength(1), 60_000)
    expect(heard[0]).toMatchObject({
      type: 'failed',
      failure: { kind: 'cache_not_honoured', detail: { asked: '1h', cache_write_retentions: ['5m'] } },
    })
  })

  it('fails the turn before it is sent, where a breakpoint cannot be set', async () => {
    const id = await begin({ ...anthropic, cache: { mode: 'required', ...explicit({ item_end: 2 }) } })
    const { heard } = await hear(id)
    await say(id, 'Which tent for two?')
    await vi.waitFor(() => expect(heard).toHaveLength(1), 60_000)
    expect(heard[0]).toMatchObject({
      type: 'failed',
      billed: false,
      cost_usd: 0,
      failure: {
        kind: 'cache_not_honoured',
        detail: { field: 'cache.strategy.explicit[0]', cause: 'breakpoint_moved' },
      },
    })
    expect(sent()).toEqual([])
  })

  it('holds for one turn', async () => {
    const id = await begin({ ...anthropic, system_prompt: 'You sell tents.' })
    const { heard } = await hear(id)
    const taken = await post(`/bots/${id}/messages`, { text: 'Which tent?', cache: { mode: 'required' } })
    await ended(id, pick(taken, 'turn_id') as string)
    await say(id, 'Which tent?')
    await vi.waitFor(() => expect(heard).toHaveLength(2), 60_000)
    expect(heard.map(({ type }) => type)).toEqual(['failed', 'message'])
  })

  it.each([
    ['cache.strategy.explicit[0]', 'no_tools', 400, { ...anthropic, inject_time: false, cache: explicit('tools_end') }],
    ['cache.strategy.explicit[0]', 'tools_end_not_offered', 422, { ...openai, cache: explicit('tools_end') }],
    ['cache.breakpoints', 'too_many_breakpoints', 400, { ...anthropic, cache: { breakpoints: 5 } }],
    [
      'cache.breakpoints',
      'breakpoints_without_effect',
      422,
      { provider: 'gemini', model: 'gemini-3.8-flash', cache: { breakpoints: 2 } },
    ],
    ['cache.handle', 'handle_not_used', 422, { ...anthropic, cache: { handle: 'cachedContents/a' } }],
    ['cache.key', 'key_has_no_effect', 422, { ...anthropic, cache: { key: 'mine' } }],
    ['cache.retention', 'retention_not_offered', 422, { ...anthropic, cache: { retention: '30m' } }],
  ])('is refused at the start for %s: %s', async (field, cause, status, { cache, ...body }) => {
    const refused = await post('/bots', { ...body, cache: { mode: 'required', ...cache } })
    expect([refused.status, pick(refused, 'error', 'detail')]).toEqual([
      status,
      expect.objectContaining({ field, cause }),
    ])
    const made = await post('/bots', { ...body, cache })
    expect([made.status, pick(made, 'advice', 0, 'cause')]).toEqual([201, cause])
  })
})

describe('an override for one turn', () => {
  it('is refused while a turn waits or runs, and the words say so', async () => {
    const id = await begin({ ...anthropic, system_prompt: SYSTEM })
    await post(`/bots/${id}/pause`, {})
    const first = await post(`/bots/${id}/messages`, { text: 'Which tent for two?' })
    const own = { text: 'And which stove?', cache: 'off' }
    for (const refused of [
      await post(`/bots/${id}/messages`, own),
      await post(`/bots/${id}/events`, { type: 'message', data: own, id: 'second' }),
      await post(`/bots/${id}/next-turn-cache`, { cache: 'off' }),
    ]) {
      expect([refused.status, pick(refused, 'error', 'kind')]).toEqual([409, 'conflict'])
      expect(pick(refused, 'error', 'message')).toContain('A turn is running')
      expect(pick(refused, 'error', 'detail', 'reason')).toBe('turn_in_flight')
    }
    await post(`/bots/${id}/resume`, {})
    await ended(id, pick(first, 'turn_id') as string)
    const taken = await post(`/bots/${id}/events`, { type: 'message', data: own, id: 'second' })
    expect([taken.status, pick(taken, 'duplicate')]).toEqual([202, false])
    const again = await post(`/bots/${id}/events`, { type: 'message', data: own, id: 'second' })
    expect([again.status, pick(again, 'duplicate')]).toEqual([202, true])
    await ended(id, 'second')
    expect(sent().map(marksOf)).toEqual([['system[0]', 'messages[0][0]'], []])
  })

  it('is taken back by null, and names a wrong field', async () => {
    const id = await begin({ ...anthropic, cache: { breakpoints: 1 } })
    await post(`/bots/${id}/next-turn-cache`, { cache: 'off' })
    const back = await post(`/bots/${id}/next-turn-cache`, { cache: null })
    expect(back.json).toMatchObject({ cache: { strategy: { breakpoints: 1 } } })
    await say(id, 'Which tent for two?')
    expect(sent().map(marksOf)).toEqual([['messages[0][0]']])
    const wrong = await post(`/bots/${id}/messages`, { text: 'Hello', cache: { breakpoints: 0 } })
    expect([wrong.status, pick(wrong, 'error', 'detail', 'field')]).toEqual([400, 'cache.breakpoints'])
  })
})

/** Members of a body that ask something of the cache, in any wire format. */
const CONTROLS = /"(cache_control|cachePoint|prompt_cache_\w+)":/g

describe.each([
  {
    name: 'Anthropic Messages',
    bot: anthropic,
    own: { retention: '1h' },
    none: ['cache_control'],
    marks: '"cache_control":{"type":"ephemeral","ttl":"1h"}',
  },
  {
    name: 'OpenAI Responses',
    bot: openai,
    own: { retention: '12h', key: 'tents' },
    none: ['prompt_cache_options', 'prompt_cache_key', 'prompt_cache_breakpoint'],
    marks: '"prompt_cache_key":"tents"',
  },
  {
    name: 'Chat Completions',
    bot: { ...openai, provider: 'openai-chat' },
    own: { key: 'tents' },
    none: ['prompt_cache_options', 'prompt_cache_key', 'prompt_cache_breakpoint'],
    marks: '"prompt_cache_key":"tents"',
  },
  {
    name: 'Bedrock Converse',
    bot: { provider: 'bedrock', model: 'anthropic.claude-opus-5', system_prompt: SYSTEM },
    own: { retention: '1h' },
    none: ['cachePoint'],
    marks: '"cachePoint":{"type":"default","ttl":"1h"}',
  },
  // This format has no controls: the provider finds prefixes by itself, also with "off".
  {
    name: 'Gemini',
    bot: { provider: 'gemini', model: 'gemini-3.8-flash', system_prompt: SYSTEM },
    own: {},
    none: [],
    marks: '',
  },
])('on $name', ({ bot, own, none, marks }) => {
  const controls = () =>
    vi
      .mocked(globalThis.fetch)
      .mock.calls.map(([, init]) => String(init?.body))
      .map((body) => [...new Set([...body.matchAll(CONTROLS)].map(([, member]) => member))])

  it('no settings, "off" and settings of the bot are three things', async () => {
    const absent = await begin(bot)
    const off = await begin({ ...bot, cache: 'off' })
    const disabled = await begin({ ...bot, cache: { mode: 'disabled' } })
    const set = await begin({ ...bot, cache: own })
    for (const id of [absent, off, disabled, set]) await say(id, 'Which tent for two?')
    expect(controls().map((members) => members.toSorted())).toEqual([
      none.toSorted(),
      [],
      [],
      expect.arrayContaining(none),
    ])
    expect(String(vi.mocked(globalThis.fetch).mock.calls[3]?.[1]?.body)).toContain(marks)
    const shown = await Promise.all(
      [absent, off, disabled, set].map(async (id) => pick(await get(`/bots/${id}`), 'cache')),
    )
    expect(shown).toEqual([
      { retention: expect.any(String), key: absent },
      null,
      null,
      { retention: expect.any(String), key: set, ...own },
    ])
  })

  it('a turn without settings has those of the bot, before and after one that has its own', async () => {
    const id = await begin({ ...bot, cache: own })
    await say(id, 'Which tent for two?')
    await post(`/bots/${id}/next-turn-cache`, { cache: 'off' })
    await say(id, 'And which stove?')
    await say(id, 'And in winter?')
    const [first = [], second, third] = controls()
    expect(first.toSorted()).toEqual(expect.arrayContaining(none))
    expect([second, third]).toEqual([[], first])
  })
})
