import { reachedState } from '../../../core/cache/standing.ts'
import type { Standing } from '../../../core/cache/standing.ts'
import { factsModelOf, retentionInForce } from '../../../registration/record.ts'
import type { Registrar } from '../prefixes/registrar.ts'
import type { RegistryStore } from '../tables/tables.ts'

/** What is believed of the registered prefix at the first of these lookups that has one. Null: none has. */
export function standingAt(
  entries: readonly string[],
  store: RegistryStore,
  registrar: Registrar,
  now: number,
): Standing | null {
  const found = store.lookups.newest(entries)
  const entry = entries.find((one) => found.has(one))
  const k = entry === undefined ? undefined : found.get(entry)
  if (entry === undefined || k === undefined) return null
  const { record, state, belief, kept } = registrar.viewByKey(k, now)
  const reached = kept === undefined ? reachedState(state, now) : null
  const after = reached === null ? null : registrar.viewByKey(k, now, reached).belief
  const { measuredTokens, longer, realWrites } = state
  return {
    id: record.id,
    entry,
    at: now,
    provider: record.provider,
    model: factsModelOf(record),
    belief,
    reached: after === null || after.state === 'cold' ? null : after,
    size: {
      measuredTokens,
      ...(longer === undefined ? {} : { longer }),
      ...(realWrites === undefined ? {} : { realWrites }),
    },
    estimatedTokens: record.estimatedTokens,
    retention: retentionInForce(record, state),
  }
}
