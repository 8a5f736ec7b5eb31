import { costOf } from '../../src/core/model/price.ts'
import { cardById, dialectOf } from '../../src/providers/registry.ts'
import { factsOf } from '../../src/runtime/facts.ts'
import type { Lab } from '../../test/lab/index.ts'
import type { Usage } from '../../src/core/model/usage.ts'

const PATHS: Readonly<Record<string, (model: string) => string>> = {
  anthropic: () => '/anthropic/v1/messages',
  openai: () => '/openai/v1/responses',
  'openai-chat': () => '/openai/v1/chat/completions',
  gemini: (model) => `/gemini/v1beta/models/${model}:generateContent`,
  bedrock: (model) => `/bedrock/model/${model}/converse`,
  vllm: () => '/vllm/v1/chat/completions',
}

/** Sends one request as an application does. Returns its usage and the time to its first token. `model`: where the body does not name it. */
export async function asked(
  lab: Lab,
  now: () => number,
  provider: string,
  body: Record<string, unknown>,
  model = String(body['model']),
) {
  const card = cardById(provider)
  if (card === undefined) throw new Error(`no card for ${provider}`)
  const startedAt = now()
  const key =
    card.auth.header === 'authorization-bearer' ? { authorization: 'Bearer lab' } : { [card.auth.header]: 'lab' }
  const answer = await lab.fetch(
    new Request(`http://lab.test${PATHS[provider]?.(model)}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...card.headers, ...key },
      body: JSON.stringify(body),
    }),
  )
  const text = await answer.text()
  if (!answer.ok) throw new Error(`the lab refused: ${text}`)
  const { usage } = dialectOf(card).readAnswer(text, 'application/json')
  const facts = factsOf(provider, model, startedAt)
  const retention = facts.retentions[0]?.name ?? ''
  return { usage, costNanos: costOf(usage, facts.price, retention) ?? Number.NaN, tookMs: now() - startedAt }
}

/** Returns the longest common prefix by characters, which may end inside a word. */
export function commonCharacters(texts: readonly string[]): string {
  const [first = '', ...others] = texts
  let length = 0
  while (length < first.length && others.every((other) => other[length] === first[length])) length++
  return first.slice(0, length)
}

/** Shortest common prefix, in characters, for which a character-level preload makes a call. */
const LEAST_CHARACTERS = 1_024

export interface CharacterCrew {
  provider: string
  model: string
  /** System prompt of each agent: role, goal and rules in one template. */
  systems: string[]
}

/**
 * Preloads a crew by the common characters of its system prompts. It sends the common prefix alone, then each agent's prompt, one
 * after the other, with the turn "Ready.", one output token and no tools. Markers are added for providers that need them.
 */
export async function characterPreload(lab: Lab, now: () => number, { provider, model, systems }: CharacterCrew) {
  const beginning = commonCharacters(systems)
  const startedAt = now()
  const calls: { usage: Usage; costNanos: number }[] = []
  const texts = beginning.length >= LEAST_CHARACTERS ? [beginning, ...systems] : systems
  for (const text of texts) calls.push(await asked(lab, now, provider, bodyOf(provider, model, text)))
  return { calls, tookMs: now() - startedAt }
}

function bodyOf(provider: string, model: string, text: string): Record<string, unknown> {
  const turn = { role: 'user', content: 'Ready.' }
  if (provider !== 'anthropic')
    return { model, max_completion_tokens: 1, messages: [{ role: 'system', content: text }, turn] }
  const system = [{ type: 'text', text, cache_control: { type: 'ephemeral' } }]
  return { model, max_tokens: 1, system, messages: [turn] }
}
