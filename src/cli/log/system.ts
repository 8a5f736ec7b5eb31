import { digest, isFields, readJson } from './entry.ts'

/**
 * Returns a digest of tools and system prompt, the beginning of a logged request; null when the log has neither. Requests with the
 * same digest share a prefix.
 */
export function beginning(input: unknown, tools?: unknown): string | null {
  const body = readJson(input)
  const messages = Array.isArray(body) ? body : isFields(body) ? (body['messages'] ?? body['input']) : undefined
  const parts: unknown[] = []
  if (isFields(body)) parts.push(body['system'], body['instructions'], body['systemInstruction'])
  if (Array.isArray(messages)) {
    for (const message of messages) {
      if (!isFields(message) || (message['role'] !== 'system' && message['role'] !== 'developer')) break
      parts.push(message['content'] ?? message['parts'])
    }
  }
  const said = parts.filter((part) => part !== undefined && part !== null && part !== '')
  if (said.length === 0) return null
  const offered = readJson(tools) ?? (isFields(body) ? body['tools'] : undefined) ?? []
  // Exports write a request without tools as an empty list, an empty object or without the member.
  return digest(JSON.stringify([Object.keys(Object(offered)).length === 0 ? null : offered, said]))
}
