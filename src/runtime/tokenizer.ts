import { estimateTokens } from '../core/prompt/tokens.ts'
import type { CountTokens } from '../core/prompt/tokens.ts'

/** Vocabularies that we can count with. Its megabytes are loaded where it is asked for, and nowhere else. */
export type Vocabulary = 'o200k'

/** Counts with a vocabulary; with none, estimates. */
export async function tokenizerOf(vocabulary: Vocabulary | null): Promise<CountTokens> {
  if (vocabulary === null) return estimateTokens
  const { countTokens } = await import('gpt-tokenizer/encoding/o200k_base')
  // What looks like a control token in somebody's text is text.
  return (text) => countTokens(text, { disallowedSpecial: new Set() })
}
