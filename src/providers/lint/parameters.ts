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

/** A UUID, a time, or a long run of hexadecimal digits. */
const VOLATILE =
  /[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}|\b1[5-9]\d{8}(?:\d{3})?\b|20\d\d-\d\d-\d\dT?\d\d|(?<![a-z\d])(?=[a-f]*\d)(?=\d*[a-f])[0-9a-f]{16,}(?![a-z\d])/i

/** The id of a session, a thread, a conversation or a run: such a word, and behind it what looks drawn by lot. */
const SESSION =
  /(?:^|[^a-z])(?:ses|sess|session|thread|thrd|conv|conversation|chat|run|req|request|resp|trace|msg|job|task|turn)[-_:.](?=[a-z]*\d)(?:[a-z\d]*\d[a-z][a-z\d]*|[a-z\d]{10,}|\d{6,})(?![a-z\d])/i

/** Identifiers that are random as a whole: ULIDs, and long mixed runs of letters and digits. */
const RANDOM = /(?<![A-Za-z\d])(?=[A-Za-z\d]*\d[A-Za-z\d]*\d)(?=[A-Za-z\d]*[A-Za-z])[A-Za-z\d]{20,}(?![A-Za-z\d])/

/** Finds a cache key that changes with each request or session: another one never reads what was written under it. */
function volatileKey(cacheKey: string | null, root: JsonObject, at: string): Finding[] {
  if (cacheKey === null || ![VOLATILE, SESSION, RANDOM].some((pattern) => pattern.test(cacheKey))) return []
  const own = member(root, 'prompt_cache_key') !== undefined
  const isSession = !VOLATILE.test(cacheKey)
  return [
    {
      cause: 'volatile_cache_key',
      severity: 'warning',
      message: isSession
        ? 'The cache key looks like the id of one session. Other sessions do not share its entries.'
        : 'The cache key contains a UUID or a time. Requests with different keys do not share entries.',
      fix: 'Use a key that all requests with this prefix share, such as the name of the agent or of the workspace.',
      at: own ? `${at}/prompt_cache_key` : '/cache/key',
    },
  ]
}
