import type { Finding } from '../model/advice.ts'

/** A tool as lint sees it: its name, the order of its members, and where it stands. */
export interface SeenTool {
  at: string
  name: string | null
  keys: readonly string[]
}

/** Tools come first in most prompts: a change in their order or their spelling makes everything behind them miss. */
export function toolFindings(tools: readonly SeenTool[]): Finding[] {
  return [duplicate(tools), keyOrder(tools), unsorted(tools)].filter((one) => one !== null)
}

function duplicate(tools: readonly SeenTool[]): Finding | null {
  const seen = new Set<string>()
  for (const { name, at } of tools) {
    if (name === null) continue
    if (seen.has(name)) {
      return {
        cause: 'duplicate_tool',
        severity: 'warning',
        message:
          'A tool of the same name stands further in front. Providers refuse that, and which one is meant depends on the order.',
        fix: 'Keep one of them.',
        at,
      }
    }
    seen.add(name)
  }
  return null
}

/** Two tools whose members stand in different orders were not written by one hand with one order. */
function keyOrder(tools: readonly SeenTool[]): Finding | null {
  const first = tools[0]
  if (first === undefined) return null
  const rank = new Map(first.keys.map((key, index) => [key, index]))
  for (const { keys, at } of tools) {
    const ranks = keys.flatMap((key) => rank.get(key) ?? [])
    if (ranks.every((value, index) => index === 0 || value > (ranks[index - 1] ?? -1))) continue
    return {
      cause: 'key_order',
      severity: 'warning',
      message:
        'The members of this tool stand in another order than those of the first one: what writes this JSON has no fixed order.',
      fix: 'Write each tool with its members in one order.',
      at,
    }
  }
  return null
}

function unsorted(tools: readonly SeenTool[]): Finding | null {
  const named = tools.flatMap(({ name, at }) => (name === null ? [] : [{ name, at }]))
  const early = named.find(({ name }, index) => index > 0 && name < (named[index - 1]?.name ?? ''))
  if (early === undefined) return null
  return {
    cause: 'unstable_tool_order',
    severity: 'hint',
    message:
      'The tools are not sorted by name. Where they come from a set, a map or several servers, their order changes between processes, and with it the prefix.',
    fix: 'Sort them by name before sending; an order that is written down in one place is fine as well.',
    at: early.at,
  }
}
