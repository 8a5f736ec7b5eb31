import type { Primitive } from '../../core/model/facts.ts'
import { dialectOf } from '../../providers/registry.ts'
import type { Card } from '../../providers/card.ts'
import type { PreparedPrefix } from '../../providers/dialect.ts'

/** The request that a warm would send; null: no primitive is known. `headers`: the callers' headers that probes carry. */
export function probeJson(
  card: Card,
  prefix: Pick<PreparedPrefix, 'text' | 'model' | 'breakpoint' | 'retention' | 'cacheKey'>,
  primitive: Primitive | undefined,
  maxOutputTokens: number | null,
  headers: Record<string, string>,
) {
  if (primitive === undefined) return null
  const {
    method,
    path,
    body,
    headers: own,
  } = dialectOf(card).probe(prefix, {
    primitive,
    retention: prefix.retention,
    key: prefix.cacheKey,
    ...(maxOutputTokens === null ? {} : { outputTokens: maxOutputTokens }),
  })
  return { primitive, method: method ?? 'POST', path, headers: { ...headers, ...own }, body }
}
