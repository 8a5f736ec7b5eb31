import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import * as fc from 'fast-check'
import { countTokens } from 'gpt-tokenizer/encoding/o200k_base'
import { describe, expect, it } from 'vitest'
import { vocabularyFile } from '../../../scripts/vocabulary.ts'
import { VocabularyCount } from '../../../src/providers/tokens/vocabulary.ts'

const root = resolve(import.meta.dirname, '../../..')
const file = (path: string): string => readFileSync(resolve(root, path), 'utf8')
const most = (text: string): number => new VocabularyCount().most(text)
/** The vocabulary itself. Text that looks like a control token is text. */
const exact = (text: string): number => countTokens(text, { disallowedSpecial: new Set() })

const from = (alphabet: string): fc.Arbitrary<string> =>
  fc.array(fc.constantFrom(...alphabet), { maxLength: 400 }).map((chars) => chars.join(''))

const TEXTS: Record<string, fc.Arbitrary<string>> = {
  'tables of digits': from('0123456789  \n'),
  chess: from('abcdefgh12345678KQRBNxO-+# /\n'),
  base64: from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/='),
  UUIDs: fc.array(fc.uuid(), { maxLength: 30 }).map((ids) => ids.join('\n')),
  Chinese: fc
    .array(fc.integer({ min: 0x4e00, max: 0x9fff }), { maxLength: 200 })
    .map((codes) => String.fromCodePoint(...codes)),
  emoji: fc
    .array(fc.constantFrom('👩‍👩‍👧', '🇨🇭', '❤️', '👍🏽', '😀', ' ', 'ok'), { maxLength: 100 })
    .map((one) => one.join('')),
  'any text': fc.string({ unit: 'binary', maxLength: 400 }),
  'graphemes of any script': fc.string({ unit: 'grapheme', maxLength: 400 }),
  'control characters': from('\u0000\u0001\u0008\u001b\u007f\r\n\t ab'),
  'words and camelCase': fc.lorem({ maxCount: 80 }).map((text) => text.replaceAll(' ', '')),
  'special tokens': fc
    .array(fc.constantFrom('<|endoftext|>', '<|im_start|>', 'user', '\n', '<|', '|>'), { maxLength: 60 })
    .map((one) => one.join('')),
  'runs of one character': fc
    .tuple(fc.constantFrom(...'a A1.\n日'), fc.integer({ min: 1, max: 300 }))
    .map(([char, times]) => char.repeat(times)),
}

describe('VocabularyCount', () => {
  for (const [what, texts] of Object.entries(TEXTS))
    it(`is never below the vocabulary, and never above the bytes: ${what}`, () => {
      fc.assert(
        fc.property(texts, (text) => {
          const tokens = most(text)
          expect(tokens).toBeGreaterThanOrEqual(exact(text))
          expect(tokens).toBeLessThanOrEqual(Buffer.byteLength(text))
        }),
        { numRuns: 100 },
      )
    })

  it.each(['docs/planner.md', 'src/core/planning/break-even.ts', 'package.json', 'LICENSE'])(
    'counts less than a third too much in %s',
    (path) => {
      const text = file(path)
      expect(most(text)).toBeGreaterThanOrEqual(exact(text))
      expect(most(text)).toBeLessThanOrEqual(exact(text) * 1.33)
    },
  )

  it('counts a run that the vocabulary needs seconds for as bytes', () => {
    expect(most('a'.repeat(80_000))).toBe(80_000)
  })

  it('stops merging after a bounded work and goes on in bytes', () => {
    // Short words that do not repeat: the most work for a text.
    let seed = 1
    const letter = (): string => String.fromCharCode(97 + ((seed = (seed * 48_271) % 2_147_483_647) % 26))
    const text = Array.from({ length: 150_000 }, () => Array.from({ length: 8 }, letter).join('')).join(' ')
    const count = new VocabularyCount()
    const first = count.most(text)
    expect(first).toBeLessThanOrEqual(Buffer.byteLength(text))
    // Nothing is left for a second text.
    expect(count.most('the same words')).toBe(14)
  })

  it('has the entries that the script takes from the public vocabulary', () => {
    expect(file('src/providers/tokens/o200k-entries.ts')).toBe(vocabularyFile())
  })
})
