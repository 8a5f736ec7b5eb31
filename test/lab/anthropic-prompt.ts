/**
 * How a Messages request becomes one prompt: tools, then system, then messages, each block with the hash of everything up to
 * its end. Source: Anthropic docs, build-with-claude/prompt-caching; checked 2026-11-21.
 */
import { PromptChain, tokensOf } from './blocks.ts'
import type { CachePoint } from './cache-model.ts'
import { arrayAt, compact, isObject, member, stringAt } from './json.ts'
import type { JsonNode, JsonObject } from './json.ts'
import type { AnthropicModel } from './models.ts'
import { HOUR_MS, MINUTE_MS } from './time.ts'

export const TTL_MS: Record<string, number> = { '5m': 5 * MINUTE_MS, '1h': HOUR_MS }

/** A read walks back this many positions from each breakpoint. Source: same page, "lookback window"; checked 2026-11-21. */
export const LOOK_BACK = 20

/** Markers are not part of what is hashed. */
const MARKER = new Set(['cache_control'])

/** A block in prompt order with its marker, if it has one. `run` names blocks that count as one look-back position. */
type Block = {
  text: string
  tokens: number
  control: JsonNode | undefined
  run: string | undefined
  where: string
  node: JsonNode
}

export type AnthropicPrompt = { hash: string; totalTokens: number; points: CachePoint[] }

export type MarkedBlock = { where: string; ttl: string; type: string | undefined; empty: boolean }

function contentBlocks(content: JsonNode | undefined): JsonNode[] {
  // A string is one text block: both spellings render the same.
  if (typeof content === 'string')
    return [
      new Map<string, JsonNode>([
        ['type', 'text'],
        ['text', content],
      ]),
    ]
  return Array.isArray(content) ? content : []
}

function blockOf(node: JsonNode, role: string, where: string): Block {
  const type = stringAt(node, 'type')
  const text = type === 'text' ? stringAt(node, 'text') : undefined
  const plain =
    isObject(node) && [...node.keys()].every((name) => name === 'type' || name === 'text' || name === 'cache_control')
  const rendered = text !== undefined && plain ? text : compact(node, MARKER)
  const run = type === 'tool_use' || type === 'tool_result' ? type : undefined
  const control = member(node, 'cache_control') ?? undefined
  return { text: `${role}\u0000${rendered}`, tokens: tokensOf(rendered), control, run, where, node }
}

/** All blocks by level, in the order in which they are rendered. */
export function anthropicBlocks(body: JsonObject): { tools: Block[]; system: Block[]; messages: Block[] } {
  const tools = arrayAt(body, 'tools').map((tool, i) => {
    const rendered = compact(tool, MARKER)
    const control = member(tool, 'cache_control') ?? undefined
    return {
      text: `tool\u0000${rendered}`,
      tokens: tokensOf(rendered),
      control,
      run: undefined,
      where: `tools.${i}`,
      node: tool,
    }
  })
  const system = contentBlocks(member(body, 'system')).map((node, i) => blockOf(node, 'system', `system.${i}`))
  const messages = arrayAt(body, 'messages').flatMap((message, m) =>
    contentBlocks(member(message, 'content')).map((node, i) =>
      blockOf(node, stringAt(message, 'role') ?? '', `messages.${m}.content.${i}`),
    ),
  )
  return { tools, system, messages }
}

/** Everything that is marked, in prompt order, with its lifetime's name. */
export function markedBlocks(body: JsonObject): MarkedBlock[] {
  const { tools, system, messages } = anthropicBlocks(body)
  return [...tools, ...system, ...messages].flatMap((block) => {
    if (block.control === undefined) return []
    const empty = !block.where.startsWith('tools') && block.tokens === 0
    return [
      { where: block.where, ttl: stringAt(block.control, 'ttl') ?? '5m', type: stringAt(block.control, 'type'), empty },
    ]
  })
}

export function anthropicPrompt(body: JsonObject, model: AnthropicModel): AnthropicPrompt {
  const { tools, system, messages } = anthropicBlocks(body)
  const chain = new PromptChain('anthropic')
  const settings = settingsOf(body)
  // What breaks what: speed breaks system and messages; tool_choice and images break messages; thinking and effort break
  // messages, and on some models everything. Source: same page, "what invalidates the cache"; checked 2026-11-21.
  if (model.settingsFirst) chain.season(settings)
  const positions: { hash: string; tokens: number; position: number; ttlMs: number; mark: boolean }[] = []
  let position = 0
  let lastRun: string | undefined
  const add = (block: Block): void => {
    chain.push(block.text, block.tokens)
    if (block.run === undefined || block.run !== lastRun) position += 1
    lastRun = block.run
    const mark = block.control !== undefined
    const ttlMs = TTL_MS[stringAt(block.control, 'ttl') ?? '5m'] ?? 0
    positions.push({ hash: chain.hash, tokens: chain.tokens, position, ttlMs, mark })
  }
  tools.forEach(add)
  chain.season(`speed:${stringAt(body, 'speed') ?? 'standard'}`)
  chain.season(`citations:${String(hasCitations(messages))}`)
  system.forEach(add)
  if (!model.settingsFirst) chain.season(settings)
  chain.season(`tool_choice:${compact(member(body, 'tool_choice') ?? null)}`)
  chain.season(`images:${String(messages.some((block) => stringAt(block.node, 'type') === 'image'))}`)
  messages.forEach(add)
  const automatic = member(body, 'cache_control')
  const last = positions.at(-1)
  if (isObject(automatic) && last !== undefined) {
    last.mark = true
    last.ttlMs = TTL_MS[stringAt(automatic, 'ttl') ?? '5m'] ?? 0
  }
  const marks = positions.filter((point) => point.mark)
  const points = positions.filter(
    (point) =>
      point.mark ||
      marks.some((mark) => mark.position >= point.position && mark.position - point.position <= LOOK_BACK),
  )
  return {
    hash: chain.hash,
    totalTokens: chain.tokens,
    points: points.map(({ hash, tokens, ttlMs, mark }) => ({ hash, tokens, ttlMs, mark })),
  }
}

/** Setting effort to the model's default (high) equals leaving it out. Source: same page; checked 2026-11-21. */
function settingsOf(body: JsonObject): string {
  const thinking = member(body, 'thinking') ?? null
  const off = thinking === null || stringAt(thinking, 'type') === 'disabled'
  const config = member(body, 'output_config')
  return `thinking:${off ? 'off' : compact(thinking)} effort:${stringAt(config, 'effort') ?? 'high'} format:${compact(member(config, 'format') ?? null)}`
}

function hasCitations(messages: Block[]): boolean {
  return messages.some((block) => member(member(block.node, 'citations'), 'enabled') === true)
}
