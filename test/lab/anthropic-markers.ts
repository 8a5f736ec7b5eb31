import { isDeferred } from './anthropic-prompt.ts'
import { arrayAt, isObject, member, stringAt } from './json.ts'
import type { JsonNode, JsonObject } from './json.ts'

/** Members of a marker. Source: @anthropic-ai/sdk 1.14.0, `CacheControlEphemeral`; checked 2026-11-30. */
const MARKER_MEMBERS = new Set(['type', 'ttl'])

/**
 * What is wrong with a marker at `where`. A `ttl` is one of two strings: a number, null or another string is refused, and so is
 * any other member (`scope` needs a beta header, which the lab does not know). Sources: @anthropic-ai/sdk 1.14.0; anthropics/claude-code threads on `cache_control.ephemeral.scope`; checked 2026-11-30.
 */
export function checkMarker(where: string, control: JsonNode): string | undefined {
  if (!isObject(control)) return `${where}: Input should be a valid dictionary`
  if (stringAt(control, 'type') !== 'ephemeral') return `${where}.type: Input should be 'ephemeral'`
  const extra = [...control.keys()].find((name) => !MARKER_MEMBERS.has(name))
  if (extra !== undefined) return `${where}.ephemeral.${extra}: Extra inputs are not permitted`
  const ttl = member(control, 'ttl')
  if (ttl !== undefined && ttl !== '5m' && ttl !== '1h') {
    return `${where}.ephemeral.ttl: Input should be '5m' or '1h'`
  }
  return undefined
}

/**
 * Tools that are loaded later take no marker, and not all of them can be. Names are unique, and a choice needs tools. Sources:
 * router-for-me/CLIProxyAPI#4561, Wei-Shaw/sub2api#4990 (marker); nearai/ironclaw#7274 (all deferred); the API's messages in
 * public threads (the other two); checked 2026-11-30.
 */
export function checkTools(body: JsonObject): string | undefined {
  const tools = arrayAt(body, 'tools')
  const marked = tools.find((tool) => isDeferred(tool) && (member(tool, 'cache_control') ?? null) !== null)
  if (marked !== undefined) {
    return (
      `Tool '${stringAt(marked, 'name') ?? ''}' cannot have both defer_loading=true and cache_control set. ` +
      'Tools with defer_loading cannot use prompt caching.'
    )
  }
  if (tools.length > 0 && tools.every(isDeferred)) {
    return 'At least one tool must have defer_loading=false. All tools cannot be deferred.'
  }
  const names = tools.flatMap((tool) => stringAt(tool, 'name') ?? [])
  if (new Set(names).size < names.length) return 'tools: Tool names must be unique.'
  const toolsets = arrayAt(body, 'mcp_servers').length
  const choice = stringAt(member(body, 'tool_choice'), 'type') ?? 'none'
  if (choice !== 'none' && tools.length + toolsets === 0) {
    return 'tool_choice may only be specified while providing tools.'
  }
  return undefined
}
