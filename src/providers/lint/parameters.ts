import { member, stringMember } from '../../core/prompt/json-text.ts'
import type { JsonNode, JsonObject } from '../../core/prompt/json-text.ts'
import type { Body } from '../dialects/shared/body.ts'
import type { DialectId } from '../card.ts'
import type { Finding } from '../../core/model/advice.ts'

/** A parameter that is compared with the prefix, or that moves it, although it does not look like prompt. */
interface ParameterRule {
  dialects: readonly DialectId[]
  path: readonly string[]
  when: (node: JsonNode) => boolean
  message: string
  fix: string
}

const is =
  (...values: string[]) =>
  (node: JsonNode): boolean =>
    (node.type === 'string' && values.includes(node.value)) || values.includes(stringMember(node, 'type') ?? '')
const given = (node: JsonNode): boolean => node.type !== 'null'

const FORCED = 'A tool is forced here. Calls with another tool_choice do not read what is written with this one.'
const SAME_CHOICE =
  'Leave tool_choice alone for all calls that share the prefix, and say in the last turn which tool is wanted.'

/** Sources: platform.claude.com prompt caching ("what invalidates the cache") and developers.openai.com, both checked 2026-11-21. */
const RULES: readonly ParameterRule[] = [
  {
    dialects: ['anthropic-messages'],
    path: ['tool_choice'],
    when: is('any', 'tool', 'none'),
    message: FORCED,
    fix: SAME_CHOICE,
  },
  {
    dialects: ['bedrock-converse'],
    path: ['toolConfig', 'toolChoice'],
    when: (node) => member(node, 'any') !== undefined || member(node, 'tool') !== undefined,
    message: FORCED,
    fix: SAME_CHOICE,
  },
  {
    dialects: ['openai-responses', 'openai-chat'],
    path: ['tool_choice'],
    when: (node) => node.type === 'object' && stringMember(node, 'type') !== 'allowed_tools',
    message: FORCED,
    fix: 'To narrow the tools of one call, keep the whole list and use tool_choice of type allowed_tools.',
  },
  {
    dialects: ['anthropic-messages'],
    path: ['thinking'],
    when: is('enabled'),
    message:
      'Thinking is rendered into the prompt with its budget. Calls with another budget, or without, do not read this entry.',
    fix: 'Keep thinking the same in all calls that share the prefix.',
  },
  {
    dialects: ['anthropic-messages'],
    path: ['context_management'],
    when: given,
    message:
      'Context management takes older turns out of the prompt, and what stands behind them is written again each time it does.',
    fix: 'Set its threshold so that it clears much at once, and seldom.',
  },
  {
    dialects: ['openai-responses'],
    path: ['truncation'],
    when: is('auto'),
    message: 'Truncation takes turns out of the front of a prompt that has become too long, and the prefix moves.',
    fix: 'Cut the history yourself, seldom and much at once.',
  },
]

/** What can be told from a body's parameters: hints, for one request cannot show whether the next has the same. */
export function parameterFindings(dialect: DialectId, { root }: Body, cacheKey: string | null, at: string): Finding[] {
  const found: Finding[] = []
  for (const { dialects, path, when, message, fix } of RULES) {
    if (!dialects.includes(dialect)) continue
    const node = path.reduce<JsonNode | undefined>(member, root)
    if (node === undefined || !when(node)) continue
    found.push({ cause: 'breaking_parameter', severity: 'hint', message, fix, at: `${at}/${path.join('/')}` })
  }
  return [...found, ...volatileKey(cacheKey, root, at)]
}

/** A key that no other request has: nothing is ever found under it. */
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
      message: 'The cache key holds a UUID or a time. Requests under different keys do not find what the others wrote.',
      fix: 'Use a key that all requests with this prefix share, such as the name of the agent or of the workspace.',
      at: own ? `${at}/prompt_cache_key` : '/cache/key',
    },
  ]
}
