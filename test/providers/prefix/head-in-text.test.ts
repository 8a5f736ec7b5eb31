import { describe, expect, it } from 'vitest'
import { headsInText } from '../../../src/providers/prefix/head-in-text.ts'
import type { CrewAgent } from '../../../src/providers/prefix/crew-agent.ts'
import { provider } from '../prepared.ts'

const RULES = 'Rules of the house that everybody follows. '.repeat(100).trim()
const text = (value: string) => ({ type: 'text', text: value })
const claude = (more: object) => ({ model: 'claude-opus-5', max_tokens: 9, messages: [], ...more })

function agentsOf(id: string, bodies: unknown[], scope = 'default:1', model?: string): CrewAgent[] {
  const { card, prepare, facts } = provider(id)
  return bodies.map((body) => {
    const prefix = prepare(body, undefined, model)
    return { card, prefix, scope, facts: facts(prefix.model) }
  })
}

const heads = (agents: CrewAgent[], minimum?: number) =>
  headsInText(agents, minimum).map(({ members, cut }) => [members.map(({ index, path }) => [index, path]), cut])

/** Agents whose first message has these roles, followed by one that is the same for all. */
function chatOf(...roles: string[]): CrewAgent[] {
  const { card, prepare, facts } = provider('openai-chat')
  return roles.map((role, index) => {
    const body = { model: 'gpt-5.6-sol', messages: [{ role, content: `${RULES} ${'xy'[index]}`.repeat(2) }] }
    const prefix = prepare(body, { strategy: { last: 0 } })
    return { card, prefix, scope: 'default:1', facts: facts(prefix.model) }
  })
}

describe('a head inside of one text', () => {
  const systems = ['writer', 'wright', 'editor'].map((role) => claude({ system: `${RULES} You are the ${role}.` }))

  it('ends where the agents part, at a token boundary', () => {
    const [found] = headsInText(agentsOf('anthropic', systems))
    expect(found?.members.map(({ index, path }) => [index, path])).toEqual([
      [0, 'system'],
      [1, 'system'],
      [2, 'system'],
    ])
    expect(found?.members[1]?.text.slice(0, found.cut)).toBe(`${RULES} You are the`)
    expect(found?.estimatedTokens).toBeCloseTo((RULES.length + 12) / 4, -1)
  })

  it('is found in a block, behind blocks that are shared, and in a part of a message', () => {
    const blocks = ['a', 'b'].map((role) => claude({ system: [text('Be kind.'), text(`${RULES} You are ${role}`)] }))
    expect(heads(agentsOf('anthropic', blocks))).toEqual([
      [
        [
          [0, 'system[1]'],
          [1, 'system[1]'],
        ],
        RULES.length + 8,
      ],
    ])
    const { card, prepare, facts } = provider('anthropic')
    const turns = ['a', 'b'].map((role): CrewAgent => {
      const body = claude({ system: 'Be kind.', messages: [{ role: 'user', content: `${RULES} You are ${role}` }] })
      const prefix = prepare(body, { strategy: { last: 0 } })
      return { card, prefix, scope: 'default:1', facts: facts(prefix.model) }
    })
    expect(heads(turns)).toEqual([
      [
        [
          [0, 'messages[0].content'],
          [1, 'messages[0].content'],
        ],
        RULES.length + 8,
      ],
    ])
  })

  it('is not found below the minimum of the model, nor below the one that is asked for', () => {
    const small = systems.map((body) => ({ ...body, model: 'claude-haiku-4-5' }))
    expect(heads(agentsOf('anthropic', small))).toEqual([])
    expect(heads(agentsOf('anthropic', systems), 5_000)).toEqual([])
    expect(heads(agentsOf('anthropic', systems), 600)).toHaveLength(1)
  })

  it('adds enough to whole blocks that are shared anyway', () => {
    const of = (shared: string) =>
      ['a', 'b'].map((role) => claude({ system: [text(RULES), text(`${shared} You are ${role}`)] }))
    expect(heads(agentsOf('anthropic', of('Be kind.')))).toEqual([])
    expect(heads(agentsOf('anthropic', of('Be kind. '.repeat(80))))).toHaveLength(1)
  })

  it('is not shared across tools, settings, keys or models that differ', () => {
    const tool = { name: 'search', description: 'One.', input_schema: { type: 'object' } }
    const one = (more: object) => claude({ system: `${RULES} You are the writer.`, ...more })
    const other = (more: object) => claude({ system: `${RULES} You are the editor.`, ...more })
    expect(heads(agentsOf('anthropic', [one({ tools: [tool] }), other({})]))).toEqual([])
    expect(heads(agentsOf('anthropic', [one({}), other({ output_config: { effort: 'low' } })]))).toEqual([])
    expect(heads(agentsOf('anthropic', [one({}), other({ model: 'claude-fable-5' })]))).toEqual([])
    expect(heads([...agentsOf('anthropic', [one({})]), ...agentsOf('anthropic', [other({})], 'theirs:1')])).toEqual([])
    expect(heads(agentsOf('anthropic', [one({ tools: [tool] }), other({ tools: [tool] })]))).toHaveLength(1)
  })

  it('is no matter of blocks that are no plain text, or of another role', () => {
    const cited = ['a', 'b'].map((role) =>
      claude({ system: [{ ...text(`${RULES} You are ${role}`), citations: [] }, text('Be kind.')] }),
    )
    expect(heads(agentsOf('anthropic', cited))).toEqual([])
    expect(heads(chatOf('system', 'user'))).toEqual([])
  })

  it('is found in a message of the system and one of the developer, which are the same there', () => {
    expect(heads(chatOf('system', 'developer'))).toEqual([
      [
        [
          [0, 'messages[0].content'],
          [1, 'messages[0].content'],
        ],
        RULES.length,
      ],
    ])
  })

  it('is no matter of whole texts that are equal, or of caches that compare tokens', () => {
    expect(heads(agentsOf('anthropic', [systems[0], systems[0]]))).toEqual([])
    const old = ['writer', 'editor'].map((role) => ({
      model: 'gpt-4.1',
      messages: [{ role: 'system', content: `${RULES} You are the ${role}.` }],
    }))
    expect(heads(agentsOf('openai-chat', old))).toEqual([])
  })

  it('leaves out an agent that shares little, for the sake of the others', () => {
    const stranger = claude({ system: `${RULES.slice(0, 2_200)} and so on. ${'Other rules. '.repeat(300)}` })
    const [found, ...more] = headsInText(agentsOf('anthropic', [systems[0], stranger, ...systems.slice(1)]))
    expect([found?.members.map(({ index }) => index), more]).toEqual([[0, 2, 3], []])
  })
})
