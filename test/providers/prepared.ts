import { readFailure } from '../../src/contract/failures.ts'
import type { FailureValue } from '../../src/contract/failures.ts'
import type { Primitive } from '../../src/core/types.ts'
import { cardById, dialectOf, modelFacts } from '../../src/providers/registry.ts'
import type { CacheRequest } from '../../src/providers/types.ts'

const NOW = Date.UTC(2026, 10, 21)

/** A provider as the tests speak to it: bodies in, stored prefixes and probes out. */
export function provider(id: string) {
  const card = cardById(id)!
  const dialect = dialectOf(card)
  const facts = (model: string) => modelFacts(card, model, NOW)
  const prepare = (body: unknown, cache?: Partial<CacheRequest>, model?: string) =>
    dialect.prepare(
      {
        text: typeof body === 'string' ? body : JSON.stringify(body),
        ...(cache === undefined ? {} : { cache: { mode: 'best_effort', strategy: 'automatic', ...cache } }),
        ...(model === undefined ? {} : { model }),
      },
      facts,
    )
  const primitives = (body: unknown, cache?: Partial<CacheRequest>) => {
    const prefix = prepare(body, cache)
    return dialect.primitives(prefix.text, facts(prefix.model))
  }
  const probe = (
    body: unknown,
    options: { primitive?: Primitive; retention?: string; cache?: Partial<CacheRequest>; outputTokens?: number } = {},
  ) => {
    const prefix = prepare(body, options.cache)
    const sent = dialect.probe(prefix, {
      primitive: options.primitive ?? dialect.primitives(prefix.text, facts(prefix.model))[0]!,
      retention: options.retention ?? prefix.retention,
      ...(options.outputTokens === undefined ? {} : { outputTokens: options.outputTokens }),
    })
    return { ...sent, json: JSON.parse(sent.body) as Record<string, unknown> }
  }
  return { card, dialect, facts, prepare, primitives, probe }
}

/** The failure that a call ends in. */
export function refusal(call: () => unknown): FailureValue {
  try {
    call()
  } catch (error) {
    const failure = readFailure(error)
    if (failure !== null) return failure
    throw error
  }
  throw new Error('it was accepted')
}

export const causes = (prefix: { advice: { cause: string }[] }): string[] => prefix.advice.map(({ cause }) => cause)
