import type { ModelFacts } from '../core/types.ts'
import type { Dialect, NeutralRequest, PreparedPrefix } from './types.ts'

/**
 * Renders the neutral form and prepares it. All of it is the prefix, so that the end lies behind its last message even where
 * that is a user's; a strategy of the caller's own goes before.
 */
export function prepareNeutral(
  dialect: Dialect,
  request: NeutralRequest,
  facts: (model: string) => ModelFacts,
): PreparedPrefix {
  const cache = request.cache ?? { mode: 'best_effort', strategy: 'automatic' }
  const strategy = cache.strategy === 'automatic' ? { last: 0 } : cache.strategy
  return dialect.prepare({ text: dialect.render(request), model: request.model, cache: { ...cache, strategy } }, facts)
}
