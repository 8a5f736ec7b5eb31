import { describe, expect, it } from 'vitest'
import { outlineOf } from '../../../src/providers/prefix/outline.ts'
import { outOfReach } from '../../../src/providers/prefix/reach.ts'
import { provider } from '../prepared.ts'

const marker = { cache_control: { type: 'ephemeral' } }
const part = (text: string, more: object = {}) => ({ type: 'text', text, ...more })
const marked = (text: string) => part(text, marker)
const body = (messages: unknown, more: object = {}) => ({
  model: 'claude-opus-4-8',
  max_tokens: 9,
  system: [part('One.'), part('Two.')],
  messages,
  ...more,
})
const question = [{ role: 'user', content: 'Who?' }]

/** Why a request cannot read an entry that ends at the block of a path. */
function why(sent: object, path: string, id = 'anthropic', model?: string) {
  const { card, facts } = provider(id)
  const outline = outlineOf(card, { text: JSON.stringify(sent), ...(model === undefined ? {} : { model }) }, facts)
  return outOfReach(
    outline,
    outline.blocks.findIndex((block) => block.path === path),
  )
}

/** A request whose only marker stands `blocks` blocks behind its system prompt. */
const far = (blocks: number) =>
  body([
    {
      role: 'user',
      content: [...Array.from({ length: blocks - 1 }, (_, n) => part(`Part ${n}.`)), marked('The end.')],
    },
  ])

describe('a request to Anthropic reads from its markers', () => {
  it.each<[string, object, string, string | null]>([
    ['none', body(question), 'system[1]', 'no_marker'],
    ['one at the end', body(question, { system: [part('One.'), marked('Two.')] }), 'system[1]', null],
    [
      'one in front of the end',
      body(question, { system: [marked('One.'), part('Two.')] }),
      'system[1]',
      'behind_marker',
    ],
    [
      'one that is null',
      body(question, { system: [part('One.'), part('Two.', { cache_control: null })] }),
      'system[1]',
      'no_marker',
    ],
    ['one at the top', body(question, marker), 'system[1]', null],
    ['one 20 blocks behind it', far(20), 'system[1]', null],
    ['one 21 blocks behind it', far(21), 'system[1]', 'beyond_lookback'],
    ['one 21 blocks behind another end', far(21), 'messages[0].content[0]', null],
  ])('%s', (_, sent, path, expected) => {
    expect(why(sent, path)).toBe(expected)
  })

  it('and runs of uses and of results of tools are one position each', () => {
    const use = (n: number) => ({ type: 'tool_use', id: `t${n}`, name: 'look', input: {} })
    const result = (n: number, more: object = {}) => ({
      type: 'tool_result',
      tool_use_id: `t${n}`,
      content: 'x',
      ...more,
    })
    const many = Array.from({ length: 30 }, (_, n) => n)
    const turns = [
      { role: 'user', content: 'Go.' },
      { role: 'assistant', content: many.map(use) },
      { role: 'user', content: many.map((n) => result(n, n === 29 ? marker : {})) },
    ]
    expect(why(body(turns), 'system[1]')).toBeNull()
    expect(why(body(turns), 'messages[2].content[3]')).toBeNull()
    const spread = many.flatMap((n) => [
      { role: 'assistant', content: [use(n)] },
      { role: 'user', content: [result(n, n === 29 ? marker : {})] },
    ])
    expect(why(body([{ role: 'user', content: 'Go.' }, ...spread]), 'system[1]')).toBe('beyond_lookback')
  })
})

describe('a request to another provider', () => {
  const point = { cachePoint: { type: 'default' } }
  const converse = (messages: unknown, system: unknown[] = [{ text: 'One.' }]) => ({ system, messages })
  const asked = [{ role: 'user', content: [{ text: 'Who?' }] }]
  it.each<[string, object, string | null]>([
    ['no point', converse(asked), 'no_marker'],
    ['a point behind it', converse(asked, [{ text: 'One.' }, point]), null],
    ['a point in the last turn', converse([{ role: 'user', content: [{ text: 'Who?' }, point] }]), null],
    [
      'a point 21 blocks behind it',
      converse([{ role: 'user', content: [...Array.from({ length: 21 }, (_, n) => ({ text: `${n}` })), point] }]),
      'beyond_lookback',
    ],
  ])('Bedrock: %s', (_, sent, expected) => {
    expect(why(sent, 'system[0]', 'bedrock', 'anthropic.claude-opus-4-8')).toBe(expected)
  })

  it('OpenRouter: markers matter for Claude alone', () => {
    const router = (model: string, content: unknown) => ({
      model,
      messages: [{ role: 'system', content }, ...question],
    })
    const path = 'messages[0].content[0]'
    expect(why(router('anthropic/claude-opus-4.8', [part('One.')]), path, 'openrouter')).toBe('no_marker')
    expect(why(router('anthropic/claude-opus-4.8', [marked('One.')]), path, 'openrouter')).toBeNull()
    expect(why({ ...router('anthropic/claude-opus-4.8', [part('One.')]), ...marker }, path, 'openrouter')).toBeNull()
    expect(why(router('openai/gpt-5', [part('One.')]), path, 'openrouter')).toBeNull()
  })

  it('needs no marker at OpenAI and at Gemini', () => {
    expect(
      why({ model: 'gpt-5.6-sol', input: [{ role: 'developer', content: 'One.' }] }, 'input[0].content', 'openai'),
    ).toBeNull()
    const sent = { systemInstruction: { parts: [{ text: 'One.' }] }, contents: [] }
    expect(why(sent, 'systemInstruction', 'gemini', 'gemini-3.6-flash')).toBeNull()
  })
})
