import { Failure, readFailure } from '../../contract/failure.ts'
import type { ModelFacts, Primitive } from '../../core/model/facts.ts'
import type { Dialect, PreparedPrefix } from '../dialect.ts'

/**
 * Primitives whose probe can be built for this body, each with the output tokens that it may bill. Throws the first refusal where none
 * can be built.
 */
export function buildableProbes(
  dialect: Dialect,
  prefix: PreparedPrefix,
  facts: ModelFacts,
  maxOutputTokens: number | null,
): { primitives: Primitive[]; outputFloors: number[] } {
  const primitives: Primitive[] = []
  const outputFloors: number[] = []
  let refusal: unknown = null
  for (const primitive of dialect.primitives(prefix.text, facts)) {
    try {
      const options = { primitive, retention: prefix.retention }
      const probe = dialect.probe(
        prefix,
        maxOutputTokens === null ? options : { ...options, outputTokens: maxOutputTokens },
      )
      primitives.push(primitive)
      outputFloors.push(probe.outputTokens ?? maxOutputTokens ?? 0)
    } catch (thrown) {
      if (readFailure(thrown) === null) throw thrown
      refusal ??= thrown
    }
  }
  if (primitives.length > 0) return { primitives, outputFloors }
  throw refusal ?? new Failure('unsupported', 'No kind of probe can warm this body.', { field: 'request' })
}
