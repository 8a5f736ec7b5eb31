import { estimateTokens } from '../core/prompt/tokens.ts'
import type { CountTokens } from '../core/prompt/tokens.ts'

/** Vocabularies that can count tokens. Each has megabytes, so it is loaded only when it is asked for. */
export type Vocabulary = 'o200k'

/** Returns a token counter for a vocabulary; for null, an estimator. */
export async function tokenizerOf(vocabulary: Vocabulary | null): Promise<CountTokens> {
  if (vocabulary === null) return estimateTokens
  const { countTokens } = await import('gpt-tokenizer/encoding/o200k_base')
  // Text of a prompt that looks like a control token is still text.
  return (text) => countTokens(text, { disallowedSpecial: new Set() })
}
