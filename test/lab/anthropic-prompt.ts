/**
 * How a Messages request becomes one prompt: tools, then system, then messages, each block with the hash of everything up to
 * its end. Source: Anthropic docs, build-with-claude/prompt-caching; checked 2026-11-21.
 */
import { PromptChain } from './blocks.ts'
import { promptTokensOf } from './counting.ts'
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

/**
 * A tool without a type is a custom one: saying so changes nothing. Source: Anthropic docs, agents-and-tools/tool-use/define-tools, and
 * `Tool.type` of @anthropic-ai/sdk 1.14.0; checked 2026-11-30.
 */
const MARKER_AND_KIND = new Set(['cache_control', 'type'])

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

export type MarkedBlock = { where: string; control: JsonNode; ttl: string; type: string | undefined; empty: boolean }

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
  return { text: `${role}\u0000${rendered}`, tokens: promptTokensOf(rendered), control, run, where, node }
}

/** All blocks by level, in the order in which they are rendered. */
export function anthropicBlocks(body: JsonObject): { tools: Block[]; system: Block[]; messages: Block[] } {
  const tools = arrayAt(body, 'tools').flatMap((tool, i) => {
    if (isDeferred(tool)) return []
    const rendered = compact(tool, stringAt(tool, 'type') === 'custom' ? MARKER_AND_KIND : MARKER)
    const control = member(tool, 'cache_control') ?? undefined
    return {
      text: `tool\u0000${rendered}`,
      tokens: promptTokensOf(rendered),
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
      {
        where: block.where,
        control: block.control,
        ttl: stringAt(block.control, 'ttl') ?? '5m',
        type: stringAt(block.control, 'type'),
        empty,
      },
    ]
  })
}

export function anthropicPrompt(body: JsonObject, model: AnthropicModel): AnthropicPrompt {
  const { tools, system, messages } = anthropicBlocks(body)
  const chain = new PromptChain('anthropic')
  const settings = settingsOf(body, model)
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
  chain.season(`tool_choice:${toolChoiceOf(body)}`)
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

/**
 * A tool that is loaded when the model asks for it is not in the prompt: not in what is hashed, and not in its size.
 * Source: Anthropic docs, agents-and-tools/tool-use/tool-search-tool; theopenco/llmgateway#3604 (measured); checked 2026-11-30.
 */
export function isDeferred(tool: JsonNode): boolean {
  return member(tool, 'defer_loading') === true
}

/** Setting a parameter to its default equals leaving it out. Source: Anthropic docs, build-with-claude/thinking-troubleshooting; checked 2026-11-30. */
function toolChoiceOf(body: JsonObject): string {
  const choice = member(body, 'tool_choice') ?? null
  const plain = isObject(choice) && choice.size === 1 && stringAt(choice, 'type') === 'auto'
  return plain ? 'null' : compact(choice)
}

/**
 * Setting effort to the model's default equals leaving it out, and so does the model's own default of thinking: off, or
 * adaptive on models that think without being asked. Source: same pages; checked 2026-11-30.
 */
function settingsOf(body: JsonObject, model: AnthropicModel): string {
  const thinking = member(body, 'thinking') ?? null
  const type = stringAt(thinking, 'type') ?? (model.thinksByDefault ? 'adaptive' : 'disabled')
  const said = type === 'disabled' ? 'off' : type === 'adaptive' ? 'adaptive' : compact(thinking)
  const config = member(body, 'output_config')
  return `thinking:${said} effort:${stringAt(config, 'effort') ?? model.effort} format:${compact(member(config, 'format') ?? null)}`
}

function hasCitations(messages: Block[]): boolean {
  return messages.some((block) => member(member(block.node, 'citations'), 'enabled') === true)
}
