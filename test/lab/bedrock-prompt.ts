/**
 * How a Converse request becomes one prompt: tools, then system, then messages. A cache point ends an entry in front of it.
 * Source: AWS docs, bedrock/latest/userguide/prompt-caching; checked 2026-11-21.
 */
import { PromptChain } from './blocks.ts'
import { promptTokensOf } from './counting.ts'
import type { CachePoint } from './cache-model.ts'
import { arrayAt, compact, isObject, member, stringAt } from './json.ts'
import type { JsonNode, JsonObject } from './json.ts'
import { LOOK_BACK, TTL_MS } from './anthropic-prompt.ts'
import type { BedrockModel } from './bedrock-models.ts'

/** An element in prompt order: a piece of the prompt, or a point behind it. */
export type Element = { where: string; role: string; node: JsonNode; point: JsonObject | undefined }

export function elementsOf(body: JsonObject): Element[] {
  const list = (nodes: JsonNode[], role: string, where: string): Element[] =>
    nodes.map((node, i) => {
      const point = member(node, 'cachePoint')
      return { where: `${where}.${i}`, role, node, point: isObject(point) ? point : undefined }
    })
  return [
    ...list(arrayAt(member(body, 'toolConfig'), 'tools'), 'tool', 'toolConfig.tools'),
    ...list(arrayAt(body, 'system'), 'system', 'system'),
    ...arrayAt(body, 'messages').flatMap((message, m) =>
      list(arrayAt(message, 'content'), stringAt(message, 'role') ?? '', `messages.${m}.content`),
    ),
  ]
}

export type BedrockPrompt = { hash: string; totalTokens: number; points: CachePoint[] }

export function bedrockPrompt(body: JsonObject, model: BedrockModel): BedrockPrompt {
  const chain = new PromptChain('bedrock')
  const places: (CachePoint & { position: number })[] = []
  let inMessages = false
  for (const { role, node, point } of elementsOf(body)) {
    if (!inMessages && role !== 'tool' && role !== 'system') {
      // Thinking and the choice of tools break messages, as at Anthropic. Assumed: on every model, and nothing more.
      inMessages = true
      chain.season(settingsOf(body, model))
    }
    const last = places.at(-1)
    if (point !== undefined) {
      if (last !== undefined) [last.mark, last.ttlMs] = [true, TTL_MS[stringAt(point, 'ttl') ?? '5m'] ?? 0]
      continue
    }
    const text = isObject(node) && node.size === 1 ? (stringAt(node, 'text') ?? compact(node)) : compact(node)
    chain.push(`${role}\u0000${text}`, promptTokensOf(text))
    places.push({ hash: chain.hash, tokens: chain.tokens, ttlMs: 0, mark: false, position: places.length })
  }
  const marks = places.filter(({ mark }) => mark)
  const near = ({ position }: { position: number }): boolean =>
    marks.some((mark) => mark.position >= position && mark.position - position <= LOOK_BACK)
  const points = places.filter((place) => place.mark || near(place))
  return {
    hash: chain.hash,
    totalTokens: chain.tokens,
    points: points.map(({ hash, tokens, ttlMs, mark }) => ({ hash, tokens, ttlMs, mark })),
  }
}

function settingsOf(body: JsonObject, model: BedrockModel): string {
  const more = member(body, 'additionalModelRequestFields')
  const thinking = member(more, 'thinking') ?? null
  const type = stringAt(thinking, 'type') ?? (model.thinksByDefault ? 'adaptive' : 'disabled')
  const said = type === 'disabled' || type === 'adaptive' ? type : compact(thinking)
  const choice = member(member(body, 'toolConfig'), 'toolChoice') ?? null
  const plain = isObject(choice) && choice.has('auto')
  const effort = stringAt(member(more, 'output_config'), 'effort') ?? model.effort
  return `thinking:${said} effort:${effort} choice:${plain ? 'null' : compact(choice)}`
}
