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
  const { model, cache } = request
  const text = dialect.render(request)
  return dialect.prepare({ text, model, whole: true, ...(cache === undefined ? {} : { cache }) }, facts)
}
