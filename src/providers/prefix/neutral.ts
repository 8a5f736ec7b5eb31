import { Failure } from '../../contract/failure.ts'
import type { ToolFilter } from '../../contract/warm.ts'
import type { Dialect, NativeRequest, NeutralRequest } from '../dialect.ts'

/**
 * Renders the neutral form. All of it is the prefix: it ends behind the last message, even a user's, unless the caller names a
 * strategy.
 */
export function renderNeutral(dialect: Dialect, request: NeutralRequest): NativeRequest {
  const { model, cache } = request
  return { text: dialect.render(request), model, whole: true, ...(cache === undefined ? {} : { cache }) }
}

/**
 * Tools that a filter allows, in their given order, as in a call with the same filter. A name that no tool has is refused, because
 * the filter was written for another list.
 */
export function filterTools<Tool extends { name: string }>(tools: readonly Tool[], filter: ToolFilter): Tool[] {
  const known = new Set(tools.map(({ name }) => name))
  for (const list of ['allow', 'deny'] as const) {
    const at = filter[list]?.findIndex((name) => !known.has(name)) ?? -1
    if (at < 0) continue
    const field = `tool_filter.${list}[${at}]`
    throw new Failure('invalid_request', `${field}: is not the name of a tool in tools.`, { field })
  }
  const allowed = filter.allow === undefined ? known : new Set(filter.allow)
  const denied = new Set(filter.deny)
  return tools.filter(({ name }) => allowed.has(name) && !denied.has(name))
}
