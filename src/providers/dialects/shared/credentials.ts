import { edit, replaceNode } from '../../../core/prompt/json-edit.ts'
import { items, member, readJson, stringMember } from '../../../core/prompt/json-text.ts'
import type { JsonMember, JsonNode, JsonString } from '../../../core/prompt/json-text.ts'

/**
 * Credentials of MCP servers inside a body. They are sent to the server and are no part of the prompt. Sources, checked 2026-11-30:
 * platform.claude.com MCP connector (`mcp_servers[].authorization_token`), developers.openai.com MCP tools (`authorization`,
 * `headers`), ai.google.dev function calling (`mcpServers[].streamableHttpTransport.headers`).
 */
const NAMES = new Set(['authorization', 'authorization_token', 'headers', 'extra_headers'])

/** Value that stands for a credential wherever a body is kept or shown. */
export const SEALED = 'sealed'

/** Members that hold credentials. */
export function credentialMembers(root: JsonNode): JsonMember[] {
  const tools = items(member(root, 'tools'))
  const servers = [root, ...tools].flatMap((node) => [member(node, 'mcp_servers'), member(node, 'mcpServers')])
  const places = [...servers, ...tools.filter((tool) => stringMember(tool, 'type') === 'mcp')]
  return places.flatMap((node) => (node === undefined ? [] : within(node)))
}

function within(node: JsonNode): JsonMember[] {
  if (node.type === 'array') return node.items.flatMap(within)
  if (node.type !== 'object') return []
  return node.members.flatMap((entry) => (NAMES.has(entry.key) ? [entry] : within(entry.value)))
}

/** The credentials of a body, in the order of its text. */
export function credentialsIn(root: JsonNode): JsonString[] {
  return credentialMembers(root)
    .flatMap(({ value }) => strings(value))
    .toSorted((a, b) => a.start - b.start)
}

function strings(node: JsonNode): JsonString[] {
  if (node.type === 'string') return [node]
  if (node.type === 'array') return node.items.flatMap(strings)
  return node.type === 'object' ? node.members.flatMap(({ value }) => strings(value)) : []
}

/** Takes the credentials out of a body. `credentials` is empty where it has none, and where it was shown by us and never had them. */
export function withoutCredentials(text: string): { text: string; credentials: string[] } {
  // Most bodies hold none, and need not be read for that. A name may be written in escapes.
  if (!text.includes('mcp') && !text.includes('\\u')) return { text, credentials: [] }
  const found = credentialsIn(readJson(text, 'request'))
  if (found.every(({ value }) => value === SEALED)) return { text, credentials: [] }
  const bare = edit(
    text,
    found.map((node) => replaceNode(node, JSON.stringify(SEALED))),
  )
  return { text: bare, credentials: found.map(({ value }) => value) }
}

/** Puts credentials back into a body that `withoutCredentials` gave, or into the beginning of one. */
export function withCredentials(text: string, credentials: readonly string[]): string {
  if (credentials.length === 0) return text
  const edits = credentialsIn(readJson(text, 'request')).flatMap((node, index) => {
    const credential = credentials[index]
    return credential === undefined ? [] : [replaceNode(node, JSON.stringify(credential))]
  })
  return edit(text, edits)
}
