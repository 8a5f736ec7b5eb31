import type { Finding } from '../model/advice.ts'

/** A tool for lint: JSON pointer, name, and the keys of its members in their order. */
export interface ToolView {
  at: string
  name: string | null
  keys: readonly string[]
}

/** Finds problems of tools. Most prompts begin with them, so a change in their order makes everything after them miss. */
export function toolFindings(tools: readonly ToolView[]): Finding[] {
  return [duplicate(tools), keyOrder(tools), unsorted(tools)].filter((one) => one !== null)
}

function duplicate(tools: readonly ToolView[]): Finding | null {
  const seen = new Set<string>()
  for (const { name, at } of tools) {
    if (name === null) continue
    if (seen.has(name)) {
      return {
        cause: 'duplicate_tool',
        severity: 'warning',
        message: 'An earlier tool has the same name. Providers refuse that.',
        fix: 'Keep one of them.',
        at,
      }
    }
    seen.add(name)
  }
  return null
}

/** Finds tools whose members have different orders: the code that writes them has no fixed order. */
function keyOrder(tools: readonly ToolView[]): Finding | null {
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
        'The members of this tool have another order than those of the first one: the code that writes this JSON has no fixed order.',
      fix: 'Write each tool with its members in one order.',
      at,
    }
  }
  return null
}

function unsorted(tools: readonly ToolView[]): Finding | null {
  const named = tools.flatMap(({ name, at }) => (name === null ? [] : [{ name, at }]))
  const early = named.find(({ name }, index) => index > 0 && name < (named[index - 1]?.name ?? ''))
  if (early === undefined) return null
  return {
    cause: 'unstable_tool_order',
    severity: 'hint',
    message:
      'The tools are not sorted by name. If they come from a set, a map or several servers, their order may differ between processes, and so may the prefix.',
    fix: 'Sort them by name before sending. Any other fixed order is fine too.',
    at: early.at,
  }
}
