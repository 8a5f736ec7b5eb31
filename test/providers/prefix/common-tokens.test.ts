import { describe, expect, it } from 'vitest'
import { groupCrew } from '../../../src/providers/prefix/common-prefix.ts'
import type { CrewAgent } from '../../../src/providers/prefix/crew-agent.ts'
import { provider } from '../prepared.ts'

/** Characters of about this many tokens. */
const about = (tokens: number): string => 'Mind it. '.repeat(Math.ceil((tokens * 4) / 9))

function chat(id: string, model: string, shared: string, more: object[] = [{}, {}]): CrewAgent[] {
  const { card, prepare, facts } = provider(id)
  return more.map((one, index) => {
    const prefix = prepare({ model, messages: [{ role: 'system', content: `${shared}Agent ${index}.` }], ...one })
    return { card, prefix, scope: 'default:1', facts: facts(prefix.model) }
  })
}

describe('agents whose cache compares tokens', () => {
  it('share what they begin with, inside of a text, and the first one writes it', () => {
    const [group, ...others] = groupCrew(chat('openai-chat', 'gpt-4.1', about(1_500)))
    expect(others).toEqual([])
    expect(group).toMatchObject({ members: [0, 1], common: null, led: { path: 'messages[0].content', writers: 1 } })
    expect(group?.led?.estimatedTokens).toBeGreaterThan(1_490)
  })

  it.each([
    ['gpt-4.1', 1_100, true],
    ['gpt-4.1', 1_000, false],
    // Entries of this model end at every 2,048 tokens.
    ['gpt-5.5', 1_900, false],
    ['gpt-5.5', 2_200, true],
  ])('of %s share a beginning of %i tokens: %s', (model, tokens, isShared) => {
    const groups = groupCrew(chat('openai-chat', model, about(tokens)))
    expect(groups.map(({ led }) => led !== undefined)).toEqual([isShared])
    if (!isShared) expect(groups[0]?.why).toContain('no beginning of at least 1024 tokens')
  })

  it('share nothing where a parameter that is rendered differs', () => {
    const format = { response_format: { type: 'json_object' } }
    const groups = groupCrew(chat('openai-chat', 'gpt-4.1', about(1_500), [{}, format, {}, format]))
    expect(groups.map(({ members, led }) => [members, led !== undefined])).toEqual([
      [[0, 2], true],
      [[1, 3], true],
    ])
  })

  it('share nothing where tools differ, although Gemini is told them behind the system prompt', () => {
    const { card, prepare, facts } = provider('gemini')
    const agents = ['search', 'write'].map((name): CrewAgent => {
      const prefix = prepare({
        model: 'gemini-2.5-flash',
        systemInstruction: { parts: [{ text: about(3_000) }] },
        tools: [{ functionDeclarations: [{ name }] }],
        contents: [],
      })
      return { card, prefix, scope: 'default:1', facts: facts(prefix.model) }
    })
    expect(groupCrew(agents).map(({ led }) => led)).toEqual([undefined])
  })

  it('need two writers where a provider makes entries for repeated beginnings', () => {
    const [group] = groupCrew(chat('deepseek', 'deepseek-v4-pro', about(1_500), [{}, {}, {}]))
    expect(group?.led?.writers).toBe(2)
  })

  it('are grouped by whole blocks where it is not known what their cache compares', () => {
    const [group] = groupCrew(chat('openrouter', 'some/model', about(1_500)))
    expect([group?.led, group?.why]).toEqual([undefined, expect.stringContaining('no whole blocks')])
  })
})
