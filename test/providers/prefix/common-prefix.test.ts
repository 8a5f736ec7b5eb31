import { describe, expect, it } from 'vitest'
import { groupCrew, withCommonPrefixMarked } from '../../../src/providers/prefix/common-prefix.ts'
import type { CrewAgent } from '../../../src/providers/prefix/crew-agent.ts'
import { provider } from '../prepared.ts'
import type { CacheRequest } from '../../../src/providers/dialect.ts'

const RULES = 'Rules of the house that everybody follows. '.repeat(200)
const tool = (name: string) => ({ name, description: 'A tool of the crew.', input_schema: { type: 'object' } })
const text = (value: string) => ({ type: 'text', text: value })

function agentsOf(id: string, bodies: unknown[], cache?: Partial<CacheRequest>, scope = 'default:1'): CrewAgent[] {
  const { card, prepare, facts } = provider(id)
  return bodies.map((body) => {
    const prefix = prepare(body, cache)
    return { card, prefix, scope, facts: facts(prefix.model) }
  })
}

const claude = (role: string, more: object = {}) => ({
  model: 'claude-opus-5',
  tools: [tool('search'), tool('write')],
  system: [text(RULES), text(`You are the ${role}. ${'Do it well. '.repeat(40)}`)],
  messages: [{ role: 'user', content: 'Go' }],
  ...more,
})

describe('the common prefix of a crew', () => {
  it('consists of the equal first blocks, including tools', () => {
    const [group, ...others] = groupCrew(agentsOf('anthropic', [claude('writer'), claude('editor')]))
    expect(others).toEqual([])
    const head = JSON.parse(group?.common?.prefix.text ?? '') as Record<string, unknown>
    expect(head['tools']).toEqual(claude('x').tools)
    expect(head['system']).toEqual([text(RULES)])
    expect(head['messages']).toEqual([])
    expect(group).toMatchObject({ members: [0, 1], common: { prefix: { breakpoint: { path: 'system[0]' } } } })
  })

  it('does not exist where only a part of a block is equal', () => {
    const one = (role: string) => claude('', { system: `${RULES} You are the ${role}.` })
    const [group] = groupCrew(agentsOf('anthropic', [one('writer'), one('editor')]))
    expect(group).toMatchObject({ members: [0, 1], common: null, why: expect.stringContaining('at least 512 tokens') })
  })

  it('does not exist where the tools differ, because they come first', () => {
    const tools = { tools: [tool('paint'), tool('search')] }
    expect(groupCrew(agentsOf('anthropic', [claude('a'), claude('b', tools)])).map(({ common }) => common)).toEqual([
      null,
    ])
  })

  it("has the model's minimum of tokens, which a caller may raise and not lower", () => {
    const short = (role: string) => claude(role, { system: [text('Be kind. '.repeat(300)), text(RULES + role)] })
    const at = (model: string, least?: number) => {
      const bodies = ['a', 'b'].map((role) => ({ ...short(role), model }))
      return groupCrew(agentsOf('anthropic', bodies), least)[0]?.common === null
    }
    expect([at('claude-opus-5'), at('claude-sonnet-5'), at('claude-opus-5', 900), at('claude-sonnet-5', 1)]).toEqual([
      false,
      true,
      true,
      true,
    ])
  })

  it.each([
    ['models', { model: 'claude-sonnet-5-5' }],
    ['settings that are rendered into the prompt', { thinking: { type: 'enabled', budget_tokens: 2_000 } }],
  ])('is not shared across %s', (_, more) => {
    const groups = groupCrew(agentsOf('anthropic', [claude('a'), claude('b'), claude('c', more), claude('d', more)]))
    expect(groups.map(({ members }) => members)).toEqual(
      'model' in more
        ? [
            [0, 1],
            [2, 3],
          ]
        : expect.arrayContaining([[0, 1]]),
    )
  })

  it('is not shared across credentials, keys or retentions', () => {
    const bodies = [claude('a'), claude('b')]
    const agents = [
      ...agentsOf('anthropic', bodies),
      ...agentsOf('anthropic', bodies, undefined, 'theirs:1'),
      ...agentsOf('anthropic', bodies, { retention: '1h' }),
    ]
    expect(groupCrew(agents).map(({ members }) => members)).toEqual([
      [0, 1],
      [2, 3],
      [4, 5],
    ])
    const chat = (role: string) => ({
      model: 'gpt-5.6-sol',
      messages: [
        { role: 'developer', content: RULES },
        { role: 'developer', content: role },
      ],
    })
    const keyed = ['k', 'l'].flatMap((key) => agentsOf('openai-chat', [chat('a'), chat('b')], { key }))
    expect(groupCrew(keyed).map(({ members }) => members)).toEqual([
      [0, 1],
      [2, 3],
    ])
  })

  it('is found although one agent shares nothing with the others', () => {
    const stranger = claude('x', { system: 'Something else entirely. '.repeat(300), tools: [] })
    const groups = groupCrew(agentsOf('anthropic', [claude('a'), stranger, claude('b'), claude('c')]))
    expect(groups.map(({ members, common }) => [members, common !== null])).toEqual([
      [[0, 2, 3], true],
      [[1], false],
    ])
  })

  it('ends in front of a tool call, not between it and its result', () => {
    const turns = (role: string) => [
      { role: 'user', content: RULES },
      { role: 'assistant', content: [{ type: 'tool_use', id: 't', name: 'search', input: {} }] },
      { role: 'user', content: [{ type: 'tool_result', tool_use_id: 't', content: role }] },
      { role: 'assistant', content: 'Done.' },
    ]
    const bodies = ['a', 'b'].map((role) => claude('x', { system: RULES, messages: turns(role) }))
    const [group] = groupCrew(agentsOf('anthropic', bodies, { strategy: { last: 0 } }))
    expect(group?.common?.prefix.breakpoint.path).toBe('messages[0].content')
  })

  it.each([
    ['openai', 'input', 'input_text'],
    ['openai-chat', 'messages', 'text'],
  ])('is marked in the agents of %s, which would not read it otherwise', (id, list, type) => {
    const parts = (role: string) => [RULES, role].map((value) => ({ type, text: value }))
    const body = (role: string) => ({ model: 'gpt-5.6-sol', [list]: [{ role: 'developer', content: parts(role) }] })
    const agents = agentsOf(id, [body('writer'), body('editor')])
    const place = groupCrew(agents)[0]?.common?.place
    const marked = withCommonPrefixMarked(agents[1]!, place!)
    expect(marked.text.match(/prompt_cache_breakpoint/g)).toHaveLength(1)
    expect(marked.text).toMatch(/everybody follows\. ","prompt_cache_breakpoint":\{"mode":"explicit"\}\}/)
    expect(marked.canonical).toBe(agents[1]!.prefix.canonical)
    expect(marked.text.slice(0, marked.breakpoint.byte)).toContain('"editor"')
  })

  it("leaves one of Anthropic's markers for the end of the prefix", () => {
    const control = { cache_control: { type: 'ephemeral' } }
    const full = (role: string) =>
      claude(role, {
        tools: [
          { ...tool('search'), ...control },
          { ...tool('write'), ...control },
        ],
        system: [text(RULES), { ...text('Mind the style.'), ...control }, { ...text(role), ...control }],
      })
    const agents = agentsOf('anthropic', [full('a'), full('b')])
    const head = groupCrew(agents)[0]?.common
    expect(head?.prefix.breakpoint.path).toBe('system[1]')
    // Four are there already, the head's among them.
    expect(withCommonPrefixMarked(agents[0]!, head!.place).text).toBe(agents[0]!.prefix.text)
    const room = agentsOf('anthropic', [claude('a'), claude('b')])
    expect(withCommonPrefixMarked(room[0]!, groupCrew(room)[0]!.common!.place).text).toContain(
      `everybody follows. ","cache_control":{"type":"ephemeral"}}`,
    )
  })

  it('is no prefix of its own at Gemini, which compares tokens: the first agent writes it', () => {
    const body = (role: string) => ({
      model: 'gemini-2.5-flash',
      systemInstruction: { parts: [{ text: RULES }] },
      contents: [{ role: 'user', parts: [{ text: role }] }],
    })
    const [group] = groupCrew(agentsOf('gemini', [body('a'), body('b')], { strategy: { last: 0 } }))
    expect(group).toMatchObject({ members: [0, 1], common: null, led: { path: 'contents[0].parts[0]', writers: 1 } })
    expect(group?.led?.estimatedTokens).toBeGreaterThan(2_048)
  })

  it('is found at Bedrock beside cache points, and gets one at its end', () => {
    const { card, prepare, facts } = provider('bedrock')
    const point = { cachePoint: { type: 'default' } }
    const toolSpec = { name: 'search', inputSchema: { json: { type: 'object' } } }
    const body = (role: string, points: object[]) => ({
      toolConfig: { tools: [{ toolSpec }, ...points] },
      system: [{ text: RULES }, { text: `You are the ${role}.` }, point],
      messages: [{ role: 'user', content: [{ text: 'Go' }] }],
    })
    const agents = [body('writer', [point]), body('editor', [])].map((one): CrewAgent => {
      const prefix = prepare(one, undefined, 'anthropic.claude-opus-5')
      return { card, prefix, scope: 'default:1', facts: facts(prefix.model) }
    })
    const [group] = groupCrew(agents)
    expect(group).toMatchObject({ members: [0, 1], common: { prefix: { breakpoint: { path: 'system[0]' } } } })
    const marked = withCommonPrefixMarked(agents[1]!, group!.common!.place)
    expect(JSON.parse(marked.text)).toMatchObject({
      system: [{ text: RULES }, point, { text: 'You are the editor.' }, point],
    })
    expect(marked.canonical).toBe(agents[1]!.prefix.canonical)
    // Marked once is marked.
    expect(withCommonPrefixMarked({ ...agents[1]!, prefix: marked }, group!.common!.place).text).toBe(marked.text)
  })
})
