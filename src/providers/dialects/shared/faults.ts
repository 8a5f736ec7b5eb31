import { member, stringMember } from '../../../core/prompt/json-text.ts'
import type { JsonNode, JsonObject } from '../../../core/prompt/json-text.ts'
import type { Fault } from '../../dialect.ts'

/** Checks that several wire formats share. Each finds what a provider is known to refuse. */

const KEPT = 'Leave it out: the SDK keeps it for itself.'

/** Members that a call of an SDK takes beside the body, and that the SDK removes or sends elsewhere. */
const CALL_MEMBERS: Readonly<Record<string, string>> = {
  betas: 'Put its names into headers["anthropic-beta"], separated by commas.',
  user_profile_id: 'Give it in headers["anthropic-user-profile-id"].',
  extra_headers: 'Give them as headers, beside request.',
  extra_query: 'Leave it out: it belongs to the address.',
  extra_body: 'Put what it holds at the top of the body, as the SDK does.',
  timeout: KEPT,
  max_retries: KEPT,
  maxRetries: KEPT,
  signal: KEPT,
  fetchOptions: KEPT,
  idempotency_key: KEPT,
  idempotencyKey: KEPT,
  headers: 'Give them beside request.',
  httpOptions: KEPT,
  http_options: KEPT,
  abortSignal: KEPT,
}

/**
 * Members of an SDK's call that are no members of the wire body. `refused`: the provider takes no member that it does not know.
 * Source: options of @anthropic-ai/sdk 1.14.0, openai 7.59.0 and their Python counterparts, checked 2026-11-30.
 */
export function callMembers(root: JsonObject, refused: boolean): Fault[] {
  return root.members.flatMap(({ key }) => {
    const fix = Object.hasOwn(CALL_MEMBERS, key) ? CALL_MEMBERS[key] : undefined
    if (fix === undefined) return []
    return [
      { path: key, cause: 'sdk_member', what: "is a member of an SDK's call, and no member of the body", fix, refused },
    ]
  })
}

/** Whether a block is a text that nobody sees: empty, or white space alone. */
export function isBlankText(node: JsonNode): boolean {
  const text = node.type === 'string' ? node.value : stringMember(node, 'text')
  return text !== undefined && text.trim() === ''
}

/** Faults of one marker. `type`: the only value of its `type`. `retentions`: the values of its `ttl`. */
export function markerFaults(
  marker: JsonNode,
  path: string,
  { type, retentions }: { type: string; retentions: readonly string[] },
): Fault[] {
  const names = retentions.map((name) => JSON.stringify(name)).join(' or ')
  if (marker.type === 'null') return []
  const fault = (at: string, cause: string, what: string, fix: string): Fault[] => [
    { path: at, cause, what, fix, refused: true },
  ]
  if (marker.type !== 'object') {
    return fault(path, 'marker_type', 'must be an object', `Write {"type":${JSON.stringify(type)}}.`)
  }
  const found: Fault[] = []
  if (stringMember(marker, 'type') !== type) {
    found.push(
      ...fault(`${path}.type`, 'marker_type', `must be ${JSON.stringify(type)}`, 'The provider takes no other type.'),
    )
  }
  const ttl = member(marker, 'ttl')
  if (ttl !== undefined && ttl.type !== 'null' && !(ttl.type === 'string' && retentions.includes(ttl.value))) {
    found.push(...fault(`${path}.ttl`, 'marker_ttl', `must be ${names}`, 'Write the lifetime as one of these strings.'))
  }
  return found
}

/** A fault at the first marker that is one too many. */
export function tooMany(paths: readonly string[], most: number): Fault[] {
  const path = paths[most]
  if (path === undefined) return []
  const what = `is marker ${most + 1} of ${paths.length}, and a request may carry ${most}`
  return [
    { path, cause: 'too_many_breakpoints', what, fix: 'Keep the ones that end what stays the same.', refused: true },
  ]
}

export function emptyText(path: string): Fault {
  const what = 'is a text without any content, which the provider refuses'
  return { path, cause: 'empty_text', what, fix: 'Leave the block out.', refused: true }
}
