import type { JsonMember, JsonNode } from './json-text.ts'

/** Rules that the text alone does not show: members that are controls, and values that mean another value. */
export interface CanonicalRules {
  /** Members that are not part of the prompt (cache markers), by identity: a schema property of the same name stays. */
  drop?: ReadonlySet<JsonMember>
  /** Items of lists that are not part of the prompt (deferred tools), by identity. */
  omit?: ReadonlySet<JsonNode>
  /** Text to write for a value, such as the block that a plain string stands for. */
  replace?: ReadonlyMap<JsonNode, string>
}

/**
 * The token stream of a value, as one text. White space is dropped and escapes are decoded; key order and the spelling of
 * numbers stay. Two texts with the same stream give a model the same prompt.
 */
export function canonical(text: string, node: JsonNode, rules: CanonicalRules = {}): string {
  const parts: string[] = []
  write(text, node, rules, parts)
  return parts.join('')
}

function write(text: string, node: JsonNode, rules: CanonicalRules, parts: string[]): void {
  const replacement = rules.replace?.get(node)
  if (replacement !== undefined) {
    parts.push(replacement)
    return
  }
  switch (node.type) {
    case 'object': {
      parts.push('{')
      let first = true
      for (const entry of node.members) {
        if (rules.drop?.has(entry)) continue
        if (!first) parts.push(',')
        first = false
        parts.push(quoted(text, entry.keyStart, entry.key), ':')
        write(text, entry.value, rules, parts)
      }
      parts.push('}')
      return
    }
    case 'array':
      parts.push('[')
      for (const [index, item] of kept(node.items, rules).entries()) {
        if (index > 0) parts.push(',')
        write(text, item, rules, parts)
      }
      parts.push(']')
      return
    case 'string':
      parts.push(quoted(text, node.start, node.value))
      return
    default:
      parts.push(text.slice(node.start, node.end))
  }
}

/** A string with its quotes. One that is written without escapes stands in the text as it is. */
function quoted(text: string, start: number, value: string): string {
  const end = start + value.length + 2
  const written = text.slice(start, end)
  return text.charCodeAt(end - 1) === 34 && !written.includes('\\') ? written : JSON.stringify(value)
}

function kept(items: readonly JsonNode[], { omit }: CanonicalRules): readonly JsonNode[] {
  return omit === undefined || omit.size === 0 ? items : items.filter((item) => !omit.has(item))
}
