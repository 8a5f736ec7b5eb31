import type { JsonMember, JsonNode } from './json-text.ts'

/** What a reader of the tree knows and the text does not say: which members are controls, which values mean another one. */
export interface CanonicalRules {
  /** Members that are controls and no prompt (cache markers), by identity: a schema property of the same name stays. */
  drop?: ReadonlySet<JsonMember>
  /** Values written otherwise in the stream, such as a string that means one block of text. */
  replace?: ReadonlyMap<JsonNode, string>
}

/**
 * The token stream of a value, as one text: white space dropped and escapes decoded, key order and the spelling of numbers kept.
 * Two texts with the same stream put the same prompt before a model.
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
        parts.push(JSON.stringify(entry.key), ':')
        write(text, entry.value, rules, parts)
      }
      parts.push('}')
      return
    }
    case 'array':
      parts.push('[')
      for (const [index, item] of node.items.entries()) {
        if (index > 0) parts.push(',')
        write(text, item, rules, parts)
      }
      parts.push(']')
      return
    case 'string':
      parts.push(JSON.stringify(node.value))
      return
    default:
      parts.push(text.slice(node.start, node.end))
  }
}
