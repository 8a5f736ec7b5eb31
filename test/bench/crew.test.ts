import { expect, it } from 'vitest'
import { commonCharacters } from '../../bench/crew/characters.ts'
import { run } from '../../bench/crew.ts'

it.each([
  ['anthropic', 'claude-opus-5', 'blocks'],
  ['anthropic', 'claude-opus-5', 'string'],
  ['openai-chat', 'gpt-5.6-sol', 'blocks'],
  ['openai-chat', 'gpt-5.6-sol', 'string'],
  ['openai-chat', 'gpt-4.1', 'blocks'],
  ['openai-chat', 'gpt-4.1', 'string'],
] as const)(
  'a crew of six at %s (%s, %s) writes its head once, whatever the other ways do, and pays least',
  async (provider, model, shape) => {
    const [shared, parallel, characters, nothing] = [
      await run(provider, model, 6, 'shared_prefix', shape),
      await run(provider, model, 6, 'parallel', shape),
      await run(provider, model, 6, 'characters', shape),
      await run(provider, model, 6, 'nothing', shape),
    ]
    expect(shared).toMatchObject({ headWrites: 1, missed: 0 })
    // The first four run at once and miss. Later ones hit only at providers that find a common prefix without a marker.
    expect(parallel.headWrites).toBe(model === 'gpt-4.1' ? 4 : 6)
    // This way sends no tools, which come first, so no real request hits what it warmed.
    expect(characters.missed).toBe(model === 'gpt-4.1' ? nothing.missed : 6)
    const total = ({ warmingUsd, firstUsd }: typeof shared): number => warmingUsd + firstUsd
    expect(total(shared)).toBeLessThan(Math.min(total(parallel), total(characters)))
    expect(Math.max(...shared.firstTokenMs)).toBeLessThan(Math.min(...nothing.firstTokenMs))
  },
)

it('cuts by characters where a word has not ended', () => {
  expect(commonCharacters(['Agent writer', 'Agent wright'])).toBe('Agent wri')
})
