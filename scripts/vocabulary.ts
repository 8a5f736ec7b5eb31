import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import ranks from 'gpt-tokenizer/bpeRanks/o200k_base'

/**
 * Writes the first entries of the public vocabulary o200k into `src/providers/tokens/o200k-entries.ts`. `node scripts/vocabulary.ts` does it;
 * a test compares the file.
 */

/** 16,000 entries are 50 KB compressed and count 18 to 25 % too much on English, code and JSON. All 200,000 are 1.07 MB. */
const ENTRIES = 16_000

/** Entries of two bytes or more in the order of their ranks, one character for each byte. Single bytes are entries anyway. */
export function vocabularyFile(): string {
  const entries = ranks.slice(0, ENTRIES).map((entry) => Buffer.from(entry as string | number[]).toString('latin1'))
  const kept = entries.filter((entry) => entry.length > 1)
  if (kept.some((entry) => entry.includes(SEPARATOR))) throw new Error('an entry has the separator in it')
  return [
    '/**',
    ' * The first 16,000 entries of the vocabulary o200k (OpenAI, tiktoken, MIT), in the order of their ranks, without single bytes. A character',
    ' * is a byte, and the byte C0, which no UTF-8 text has, stands between two. `node scripts/vocabulary.ts` writes this file.',
    ' */',
    'export const O200K_ENTRIES =',
    `  ${quoted(kept.join(SEPARATOR))}`,
    '',
  ].join('\n')
}

const SEPARATOR = '\u00c0'

/** A literal of printable ASCII, as the formatter writes it. */
function quoted(text: string): string {
  const escaped = JSON.stringify(text)
    .slice(1, -1)
    .replaceAll(/[^\x20-\x7e\u00c0]/g, (char) => `\\u${(char.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`)
  return `'${escaped.replaceAll('\\"', '"').replaceAll("'", "\\'")}'`
}

if (import.meta.main)
  writeFileSync(join(import.meta.dirname, '../src/providers/tokens/o200k-entries.ts'), vocabularyFile())
