import { fingerprint } from '../../src/core/prompt/fingerprint.ts'
import type { KeepWarm } from '../../src/core/planning/plan.ts'
import type { Registration } from '../../src/registration/registration.ts'
import { cardById, dialectOf, modelFacts } from '../../src/providers/registry.ts'
import { pack } from '../../src/runtime/bytes.ts'

export const SYSTEM = `You are a support agent of a shop that sells lamps. ${'Answer from the policy, in the words of the policy. '.repeat(400)}`

/** Anthropic body whose system prompt of thousands of tokens ends in a marker. */
export function anthropicBody(tag: string, ttl: '5m' | '1h' = '5m'): string {
  return JSON.stringify({
    model: 'claude-sonnet-4-5',
    max_tokens: 512,
    system: [{ type: 'text', text: `${tag} ${SYSTEM}`, cache_control: { type: 'ephemeral', ttl } }],
    messages: [],
  })
}

/** Registration as the Worker sends it to a Registry, for a body in the format of the provider. */
export function registrationOf(
  providerId: string,
  text: string,
  keepWarm: KeepWarm | null,
  name: string | null = null,
): Registration {
  const card = cardById(providerId)
  if (card === undefined) throw new Error(`no card for ${providerId}`)
  const dialect = dialectOf(card)
  const facts = (model: string) => modelFacts(card, model, Date.now())
  const prefix = dialect.prepare({ text }, facts)
  return {
    fingerprint: fingerprint({
      provider: card.id,
      model: prefix.model,
      credentialScope: 'default:1',
      cacheKey: prefix.cacheKey,
      canonical: prefix.canonical,
    }),
    provider: card.id,
    model: prefix.model,
    name,
    credential: 'default',
    cacheKey: prefix.cacheKey,
    ...(prefix.routing === undefined ? {} : { routing: prefix.routing }),
    retention: prefix.retention,
    breakpoint: prefix.breakpoint,
    estimatedTokens: prefix.estimatedTokens,
    bodyBytes: prefix.text.length,
    advice: prefix.advice,
    maxOutputTokens: null,
    outputFloors: [0, 1],
    primitives: dialect.primitives(prefix.text, facts(prefix.model)),
    keepWarm,
    body: pack(prefix.text),
  }
}
