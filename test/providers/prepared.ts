import { readFailure } from '../../src/contract/failure.ts'
import type { FailureValue } from '../../src/contract/failure.ts'
import type { Primitive } from '../../src/core/model/facts.ts'
import { cardById, dialectOf, modelFacts } from '../../src/providers/registry.ts'
import { addressOf } from '../../src/providers/transport/address.ts'
import type { Card } from '../../src/providers/card.ts'
import type { CacheRequest } from '../../src/providers/dialect.ts'

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

/** What an administrator would set. */
export const VARIABLES: Readonly<Record<string, string>> = {
  AZURE_OPENAI_BASE_URL: 'https://ours.openai.azure.com/openai/v1/',
  BEDROCK_REGION: 'eu-central-1',
  VERTEX_LOCATION: 'europe-west4',
  VERTEX_PROJECT: 'our-project',
  WORKERS_AI_ACCOUNT_ID: '0123456789abcdef0123456789abcdef',
  VLLM_BASE_URL: 'https://vllm.example.com/v1',
  SGLANG_BASE_URL: 'https://sglang.example.com/v1',
  LLAMA_CPP_BASE_URL: 'https://llama.example.com/v1',
  OLLAMA_BASE_URL: 'https://ollama.example.com/v1',
}

export function addressIn(card: Card): string {
  const { url, failure } = addressOf(card, (name) => VARIABLES[name], false)
  if (url === null) throw new Error(failure.message)
  return url
}
