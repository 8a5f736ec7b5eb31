import { die } from '../../test/scenarios/random.ts'
import type { Die } from '../../test/scenarios/random.ts'

/** Messages of a conversation, generated from a seed: the same for all compared rules. Sizes are in the lab's tokens. */

export interface Line {
  /** Time since the begin of the previous turn. */
  afterMs: number
  user: string
  /** Tool call of the model before its answer; null in most turns. */
  tool: { name: string; arguments: string; result: string } | null
  reply: string
}

export interface Tool {
  name: string
  description: string
  parameters: Record<string, unknown>
}

export interface Script {
  seed: number
  system: string
  tools: Tool[]
  lines: Line[]
}

export interface Sizes {
  /** Tokens of system prompt and tools. */
  headTokens: number
  user: [number, number]
  reply: [number, number]
  result: [number, number]
  /** One turn in `toolEvery` calls a tool. */
  toolEvery: number
  afterMs: [number, number]
}

export const SIZES: Sizes = {
  headTokens: 3_000,
  user: [60, 200],
  reply: [100, 300],
  result: [60, 200],
  toolEvery: 5,
  afterMs: [20_000, 120_000],
}

const BYTES_PER_TOKEN = 4
const SYLLABLES = 'ba ce di fo gu ha li mo ne po ra se ti vo wu ya zo an er in on us'.split(' ')

export function scriptOf(seed: number, turns: number, sizes: Sizes = SIZES): Script {
  const random = die(seed)
  const within = ([low, high]: [number, number]): number => Math.round(random.between(low, high))
  const tools = ['find_order', 'find_stock', 'book_repair'].map((name) => ({
    name,
    description: textOf(random, 60),
    parameters: {
      type: 'object',
      properties: { id: { type: 'string', description: textOf(random, 30) } },
      required: ['id'],
    },
  }))
  const toolTokens = Math.ceil(JSON.stringify(tools).length / BYTES_PER_TOKEN)
  const lines = Array.from({ length: turns }, (_, turn): Line => {
    const calls = turn % sizes.toolEvery === sizes.toolEvery - 1
    return {
      afterMs: within(sizes.afterMs),
      user: textOf(random, within(sizes.user)),
      tool: calls
        ? {
            name: 'find_order',
            arguments: JSON.stringify({ id: `order-${turn}` }),
            result: textOf(random, within(sizes.result)),
          }
        : null,
      reply: textOf(random, within(sizes.reply)),
    }
  })
  return { seed, system: textOf(random, sizes.headTokens - toolTokens), tools, lines }
}

/** Generates invented words as long as English ones, with an exact number of the lab's tokens. */
function textOf(random: Die, tokens: number): string {
  const bytes = tokens * BYTES_PER_TOKEN
  let text = ''
  while (text.length < bytes) {
    const syllables = 1 + Math.floor(random.roll() * 3)
    for (let n = 0; n < syllables; n += 1) text += SYLLABLES[Math.floor(random.roll() * SYLLABLES.length)] ?? ''
    text += random.roll() < 0.1 ? '. ' : ' '
  }
  return `${text.slice(0, bytes - 1)}.`
}
