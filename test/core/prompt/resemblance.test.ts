import { describe, expect, it } from 'vitest'
import { piecesOf, sampleOf, shareIn } from '../../../src/core/prompt/resemblance.ts'

const sentences = Array.from({ length: 200 }, (_, n) => `Rule ${n} of the mill says what wheel ${n * 7} does.`)
const text = sentences.join(' ')
const changed = `Build 4711. ${sentences.with(90, 'Rule 90 was struck out.').join(' ')}`
const other = Array.from({ length: 200 }, (_, n) => `Ship ${n} carries ${n * 3} barrels.`).join(' ')

describe('pieces of texts', () => {
  it('are shared by a text and its changed form, wherever it was changed', () => {
    const [before, after] = [piecesOf([text]), piecesOf([changed])]
    expect(shareIn(before, after)).toBeGreaterThan(0.98)
    expect(shareIn(before, after)).toBeLessThan(1)
    expect(shareIn(before, piecesOf([other]))).toBe(0)
  })

  it('give both forms nearly the same sample', () => {
    const [before, after] = [text, changed].map((one) => sampleOf(piecesOf([one]), 6))
    expect(after!.filter((piece) => before!.includes(piece)).length).toBeGreaterThanOrEqual(5)
    expect(sampleOf(piecesOf([other]), 6).some((piece) => before!.includes(piece))).toBe(false)
  })

  it('are found in a text without punctuation too, and end with each text', () => {
    const long = 'x'.repeat(1_000)
    expect(shareIn(piecesOf([long]), piecesOf([long, 'and more']))).toBe(1)
    expect(shareIn(piecesOf(['one', 'two']), piecesOf(['two', 'three']))).toBe(0.5)
    expect(shareIn(piecesOf([]), piecesOf([long]))).toBe(0)
  })
})
