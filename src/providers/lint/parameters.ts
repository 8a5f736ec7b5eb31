import { member } from '../../core/prompt/json-text.ts'
import type { JsonNode, JsonObject } from '../../core/prompt/json-text.ts'
import type { ParameterRule } from '../dialect.ts'
import type { Finding } from '../../core/model/advice.ts'

/** Findings about a body's parameters. They are hints: one request cannot show whether the next one has the same. */
export function parameterFindings(
  rules: readonly ParameterRule[],
  root: JsonObject,
  cacheKey: string | null,
  at: string,
): Finding[] {
  const found: Finding[] = []
  for (const { path, when, message, fix } of rules) {
    const node = path.reduce<JsonNode | undefined>(member, root)
    if (node === undefined || !when(node)) continue
    found.push({ cause: 'breaking_parameter', severity: 'hint', message, fix, at: `${at}/${path.join('/')}` })
  }
  return [...found, ...volatileKey(cacheKey, root, at)]
}

/** Finds a cache key that changes with each request: no entry is ever read under it. */
function volatileKey(cacheKey: string | null, root: JsonObject, at: string): Finding[] {
  if (
    cacheKey === null ||
    !/[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}|\b1[5-9]\d{8}(?:\d{3})?\b|20\d\d-\d\d-\d\dT?\d\d/i.test(cacheKey)
  )
    return []
  const own = member(root, 'prompt_cache_key') !== undefined
  return [
    {
      cause: 'volatile_cache_key',
      severity: 'warning',
      message: 'The cache key contains a UUID or a time. Requests with different keys do not share entries.',
      fix: 'Use a key that all requests with this prefix share, such as the name of the agent or of the workspace.',
      at: own ? `${at}/prompt_cache_key` : '/cache/key',
    },
  ]
}
