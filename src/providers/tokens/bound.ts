import { readJson } from '../../core/prompt/json-text.ts'
import { tokenBound } from '../../core/prompt/token-bound.ts'
import type { TokenBound } from '../../core/prompt/token-bound.ts'
import type { Card } from '../card.ts'
import { PromptMeasure } from './prompt-size.ts'

/** The most tokens that a request with this body can be billed for, without asking the provider. `card`: undefined where it was removed. */
export function boundOf(card: Pick<Card, 'tokens'> | undefined, model: string, text: string): TokenBound {
  const { vocabulary, added, parts } = { ...UNSTATED, ...card?.tokens }
  const ratio = vocabulary?.models.some((pattern) => matches(pattern, model)) === true ? vocabulary.ratio : null
  const size = new PromptMeasure(text, ratio !== null).of(readJson(text))
  return tokenBound(size, { added, parts, ...(ratio === null ? {} : { vocabularyRatio: ratio }) })
}

/**
 * Where a card says nothing, a byte may be a token, and chat templates may add what known ones do: a preamble of the model, a longer one of
 * tools, and marks around each of them. Assumed.
 */
const UNSTATED: Pick<NonNullable<Card['tokens']>, 'vocabulary' | 'added' | 'parts'> = {
  added: { request: 256, message: 16, tool: 32, anyTool: 512 },
  parts: { server_tool: 4_096, mcp_server: 16_384 },
}

/** Whether a name is a pattern's: the same, or one that begins as a pattern does that ends in `*`. */
export function matches(pattern: string, model: string): boolean {
  return pattern.endsWith('*') ? model.startsWith(pattern.slice(0, -1)) : model === pattern
}
