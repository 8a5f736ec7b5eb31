import { digest, fault, isFields, readFields, readText } from './entry.ts'
import type { Fields, Reading } from './entry.ts'
import { readTime, TIME_FORMS } from './time.ts'
import { cachedTokens } from './usage.ts'

/**
 * Session logs of Claude Code: files `~/.claude/projects/…/*.jsonl`, one line for each message and event (read off such files on
 * 2026-11-30; the form is not documented). An answer has a line for each of its content blocks, all with its id and its usage.
 */
export function isClaudeCode(fields: Fields): boolean {
  return 'sessionId' in fields && 'type' in fields && isFields(fields['message'])
}

/** The model that Claude Code names where it wrote an answer itself, as after an error. */
const NO_MODEL = '<synthetic>'

export function readClaudeCode(fields: Fields): Reading {
  const message = readFields(fields['message'])
  const usage = readFields(message?.['usage'])
  if (fields['type'] !== 'assistant' || usage === null) return { leftOut: 'lines that are not answers of a model' }
  const model = readText(message?.['model'])
  if (model === NO_MODEL || fields['isApiErrorMessage'] === true) return { leftOut: 'failed calls' }
  const at = readTime(fields['timestamp'])
  if (at === null) return fault('timestamp', TIME_FORMS)
  const cached = cachedTokens(usage)
  const id = readText(message?.['id'])
  const [prefix, label] = prefixOf(fields)
  return {
    entry: { ...(id === null ? {} : { id }), prefix, label, provider: null, model, at, tokens: null, cached },
  }
}

/** A session has one growing prefix, and each agent that it starts has another one. */
function prefixOf(fields: Fields): [prefix: string, label: string] {
  const session = readText(fields['sessionId']) ?? ''
  const agent = fields['isSidechain'] === true ? (readText(fields['agentId']) ?? 'side') : null
  const name = digest(JSON.stringify([session, agent]))
  return [`session ${name}`, `${agent === null ? 'session' : 'agent'} ${name.slice(0, 8)}`]
}
