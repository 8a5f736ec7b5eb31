import { describe, expect, it } from 'vitest'
import { commonLength, firstDifference, MAX_EXCERPT } from '../../../src/core/prompt/first-difference.ts'

describe('firstDifference', () => {
  it('shows both texts around the first place at which they differ', () => {
    const text = (time: string) => `${'Rules of the mill. '.repeat(9)}It is ${time} now. ${'More rules. '.repeat(9)}`
    const { path, at, registered, sent } = firstDifference('system[0].text', text('10:41'), text('10:42'))
    expect([path, at]).toEqual(['system[0].text', 19 * 9 + 10])
    expect(registered).toBe('…. It is 10:41 now. More rules. More ru…')
    expect(sent).toBe('…. It is 10:42 now. More rules. More ru…')
    expect([registered.length, sent.length]).toEqual([MAX_EXCERPT, MAX_EXCERPT])
  })

  it('shows nothing of a text that ended before, and all of a short one', () => {
    expect(firstDifference('a', 'wheel', '')).toEqual({ path: 'a', at: 0, registered: 'wheel', sent: '' })
    expect(firstDifference('a', 'wheel', 'wheels')).toEqual({ path: 'a', at: 5, registered: 'wheel', sent: 'wheels' })
  })

  it('cuts no pair of surrogates', () => {
    const [one, other] = ['🌾'.repeat(60), `${'🌾'.repeat(29)}🌿${'🌾'.repeat(30)}`]
    const { at, registered, sent } = firstDifference('a', one, other)
    expect([at, registered.isWellFormed(), sent.isWellFormed()]).toEqual([58, true, true])
    expect(Math.max(registered.length, sent.length)).toBeLessThanOrEqual(MAX_EXCERPT)
    expect(sent).toContain('🌿')
    // The two have their first unit in common.
    expect(commonLength('🌾', '🌿')).toBe(0)
  })
})

it.each([0, 1, 4_095, 4_096, 4_097, 8_192, 10_000])('long texts that share %i characters', (shared) => {
  const head = 'The dough rests for an hour. '.repeat(400).slice(0, shared)
  expect(commonLength(`${head}one`, `${head}two`)).toBe(shared)
  expect(commonLength(head, head)).toBe(shared)
  expect(commonLength(head, `${head}two`)).toBe(shared)
  // The second halves of two emoji differ: their shared first half is no character.
  expect(commonLength(`${head}😀`, `${head}😁`)).toBe(shared)
})
