import { readJson } from '../core/prompt/json-text.ts'
import { lint } from '../core/lint/lint.ts'
import type { ModelFacts } from '../core/model/facts.ts'
import { sha256 } from '../runtime/ids.ts'
import { lintPrefix, piecesOf } from '../providers/lint/lint.ts'
import type { Card } from '../providers/card.ts'
import type { Block, Part } from '../core/lint/prompt-view.ts'
import type { Finding } from '../core/model/advice.ts'
import type { NeutralRequest, PreparedPrefix } from '../providers/dialect.ts'

/** Cause of a finding that says that a prompt holds a secret. */
export const SECRET = 'secret'

/** Findings of one registration. Each prefix stores its own, and nobody reads more. */
export const MAX_FINDINGS = 20

/** Results of the last prefixes: callers who register one content at the same time share one lint run. */
const MOST_RECENT = 64
const recent = new Map<string, readonly Finding[]>()

/**
 * Lints a prefix. Findings name places in what the caller wrote: below `/request`, or the members of the neutral form.
 * At most `MAX_FINDINGS`, and one that counts the rest.
 */
export function findingsOf(
  card: Card,
  prefix: PreparedPrefix,
  facts: ModelFacts,
  neutral: NeutralRequest | null,
): readonly Finding[] {
  // Of the neutral form it reads what the caller wrote, however that is cut into blocks.
  const read = neutral === null ? prefix.text : JSON.stringify([neutral.system, neutral.tools, neutral.messages])
  const key = [card.id, prefix.model, neutral === null, facts.minimumTokens, prefix.cacheKey, sha256(read)].join(' ')
  const known = recent.get(key)
  if (known !== undefined) return known
  const found = neutral === null ? lintPrefix(card, prefix, facts, '/request') : lintNeutral(neutral, prefix, facts)
  const shown = fewOf(found)
  recent.set(key, shown)
  const [oldest] = recent.keys()
  if (recent.size > MOST_RECENT && oldest !== undefined) recent.delete(oldest)
  return shown
}

/** At most `MAX_FINDINGS`, and one that counts the rest. */
export function fewOf(found: readonly Finding[]): readonly Finding[] {
  return found.length <= MAX_FINDINGS ? found : [...secretsFirst(found), more(found.length)]
}

/** The first findings, but no secret left out for others: it may refuse the body. */
function secretsFirst(found: readonly Finding[]): Finding[] {
  const isSecret = ({ cause }: Finding): boolean => cause === SECRET
  return [...found.filter(isSecret), ...found.filter((one) => !isSecret(one))].slice(0, MAX_FINDINGS)
}

function more(count: number): Finding {
  return {
    cause: 'more_findings',
    severity: 'hint',
    message: `Lint found ${count - MAX_FINDINGS} more.`,
    fix: 'Fix the listed ones, then register again.',
    at: '',
  }
}

/** Lints the neutral form. `systemAt`: JSON pointer of the system prompt in what the caller wrote. */
export function lintNeutral(
  request: Pick<NeutralRequest, 'system' | 'tools' | 'messages'>,
  prefix: Pick<PreparedPrefix, 'estimatedTokens'>,
  facts: Pick<ModelFacts, 'minimumTokens'>,
  systemAt = '/system',
): Finding[] {
  const { system, tools = [], messages = [] } = request
  const block = (at: string, part: Part, text: string): Block => ({
    at,
    part,
    pieces: [{ at, text }],
    marker: null,
    run: null,
  })
  const blocks = tools.map(({ description, parametersText }, index): Block => {
    const at = `/tools/${index}`
    const described = description === undefined ? [] : [{ at: `${at}/description`, text: description }]
    const pieces = [...described, ...piecesOf(readJson(parametersText), `${at}/parameters`)]
    return { at, part: 'tools', pieces, marker: null, run: null }
  })
  if (system !== undefined) blocks.push(block(systemAt, 'system', system))
  for (const [index, { content }] of messages.entries())
    blocks.push(block(`/messages/${index}/content`, 'turns', content))
  return lint({
    blocks,
    tools: tools.map(({ name }, index) => ({ at: `/tools/${index}`, name, keys: [] })),
    estimatedTokens: prefix.estimatedTokens,
    minimumTokens: facts.minimumTokens,
    // The rendered body carries its own markers, at places that fit.
    maxMarkers: null,
    lookback: null,
  })
}

/** Advice of wire formats about bodies whose real requests can read nothing from a cache. */
export const FATAL: ReadonlySet<string> = new Set(['no_marker', 'explicit_mode_without_breakpoint'])
