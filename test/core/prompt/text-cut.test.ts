import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { cutOf } from '../../../src/core/prompt/text-cut.ts'

const parted = (...texts: string[]): string[] | null => {
  const cut = cutOf(texts)
  return cut === null ? null : [texts[0]!.slice(0, cut), ...texts.map((text) => text.slice(cut))]
}

describe('where texts are cut', () => {
  it('is the end of the last line that they share', () => {
    expect(parted('Keep the rules.\nYou are the writer.', 'Keep the rules.\nYou are the wright.')).toEqual([
      'Keep the rules.\n',
      'You are the writer.',
      'You are the wright.',
    ])
  })

  it('is the end of the last word where the line is long', () => {
    const line = 'Keep the rules of the house, '.repeat(20)
    expect(parted(`One.\n${line}writer`, `One.\n${line}wright`)).toEqual([
      `One.\n${line.trimEnd()}`,
      ' writer',
      ' wright',
    ])
  })

  it('is the end of a text that begins the others, if a word ends there', () => {
    expect(parted('Keep the rules', 'Keep the rules and the peace')).toEqual(['Keep the rules', '', ' and the peace'])
    expect(parted('Keep the rule', 'Keep the rules and the peace')).toEqual([
      'Keep the',
      ' rule',
      ' rules and the peace',
    ])
  })

  it('is behind a sentence where a script has no spaces', () => {
    expect(parted('規則を守ってください。あなたは作家です', '規則を守ってください。あなたは編集者です')).toEqual([
      '規則を守ってください。',
      'あなたは作家です',
      'あなたは編集者です',
    ])
    expect(parted('规则规则规则甲', '规则规则规则乙')).toEqual(['规则规则规则', '甲', '乙'])
  })

  it.each([
    ['an emoji and its skin', 'Go👍', 'Go👍🏽', 'Go'],
    ['a family', 'Go👩‍👩‍👧', 'Go👩‍👩‍👦', 'Go'],
    ['two flags that share half a flag', 'Go🇩🇪', 'Go🇩🇰', 'Go'],
    ['a letter and its accent', 'Gone', 'Gone\u0301', 'Gon'],
    ['a syllable in jamo', 'Go\u1112\u1161', 'Go\u1112\u1161\u11ab', 'Go'],
    ['two surrogates', 'Go😀', 'Go😁', 'Go'],
    ['a carriage return and its line feed, or in front of white space alone', 'Go\r\nnow', 'Go\r', 'G'],
  ])('is not inside of what people see as one character: %s', (_what, one, other, head) => {
    expect(one.slice(0, cutOf([one, other]) ?? 0)).toBe(head)
  })

  it('leaves no text white space alone, and is nowhere in white space', () => {
    expect(parted('Rules here \n', 'Rules here and there')).toEqual(['Rules', ' here \n', ' here and there'])
    expect(cutOf(['   a', '   b'])).toBeNull()
    expect(cutOf(['a', 'b'])).toBeNull()
    expect(cutOf([])).toBeNull()
  })

  it('is the whole where texts are equal', () => {
    expect(cutOf(['The same.', 'The same.'])).toBe(9)
  })

  it('keeps every text as it was, and both sides whole, whatever the texts', () => {
    const piece = fc.constantFrom('a', ' ', '\n', 'é', 'e\u0301', '語', '。', '👍🏽', '🇩🇪', '👩‍👩‍👧', '\ud83d', '.')
    const text = fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join(''))
    const graphemes = new Intl.Segmenter('und', { granularity: 'grapheme' })
    fc.assert(
      fc.property(text, fc.array(text, { minLength: 1, maxLength: 4 }), (head, tails) => {
        const texts = tails.map((tail) => head + tail)
        const cut = cutOf(texts)
        if (cut === null) return
        expect(new Set(texts.map((one) => one.slice(0, cut))).size).toBe(1)
        expect(texts[0]!.slice(0, cut).trim()).not.toBe('')
        for (const one of texts) {
          const rest = one.slice(cut)
          if (rest === '') continue
          expect(rest.trim()).not.toBe('')
          const starts = [...graphemes.segment(one)].map(({ index }) => index)
          expect(starts).toContain(cut)
        }
      }),
    )
  })
})
