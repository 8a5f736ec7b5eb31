import type { JsonNode, JsonObject } from '../../core/prompt/json-text.ts'
import type { Finding } from '../../core/model/advice.ts'
import { credentialsIn } from '../dialects/shared/credentials.ts'
import { pointerToken } from './pointer.ts'

/** Credentials of MCP servers in a body. They belong where they are: each is a hint that says what becomes of it. */
export function credentialFindings(root: JsonObject, at: string): Finding[] {
  const credentials: ReadonlySet<JsonNode> = new Set(credentialsIn(root))
  if (credentials.size === 0) return []
  return placesOf(root, at, credentials).map((place) => ({
    cause: 'secret',
    severity: 'hint',
    message:
      'This is a credential of an MCP server. It is no part of the prompt: it is stored sealed, and another one is the same prefix.',
    fix: 'Leave it there. When it is replaced, register the prefix again, so that probes send the new one.',
    at: place,
  }))
}

function placesOf(node: JsonNode, at: string, sought: ReadonlySet<JsonNode>): string[] {
  if (sought.has(node)) return [at]
  if (node.type === 'array') return node.items.flatMap((one, index) => placesOf(one, `${at}/${index}`, sought))
  if (node.type !== 'object') return []
  return node.members.flatMap(({ key, value }) => placesOf(value, `${at}/${pointerToken(key)}`, sought))
}
