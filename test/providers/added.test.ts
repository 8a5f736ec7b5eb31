import { expect, it } from 'vitest'
import { cardLike, secretOf } from '../../src/providers/added.ts'
import { cards, wireOf } from '../../src/providers/registry.ts'

it('a card that is like another has its format, and nothing that is the vendor’s alone', () => {
  for (const base of cards) {
    const card = cardLike(base, 'our-gpu', { like: base.id })
    expect([card.dialect, wireOf(card), card.models]).toEqual([base.dialect, wireOf(base), base.models])
    expect(cards.map(({ secret }) => secret)).not.toContain(card.secret)
    const kept = ['refusal', 'aliases', 'chatOf', 'managedCaches', 'serviceAccounts', 'baseUrlWhen', 'labPath']
    expect(kept.filter((name) => name in card)).toEqual([])
    expect(card.baseUrl).toBe('')
  }
  expect(secretOf('our-gpu-2')).toBe('OUR_GPU_2_API_KEY')
})
