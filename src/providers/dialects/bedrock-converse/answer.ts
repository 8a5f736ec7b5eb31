import { readEvents, unreadable } from '../shared/answer.ts'
import { count, fields, nature, NO_USAGE } from '../shared/usage.ts'
import type { Usage } from '../../../core/model/usage.ts'
import type { ProbeAnswer } from '../../dialect.ts'

/** Converse answers with one object. Its streams are binary, and no probe asks for one. */
export function readAnswer(text: string, contentType: string): ProbeAnswer {
  const { streamed, events } = readEvents(text, contentType)
  const answer = events[0]
  if (streamed || answer === undefined || fields(answer['output']) === null)
    throw unreadable('it is not an answer of this wire format')
  const rawUsage = fields(answer['usage'])
  return { usage: readUsage(rawUsage) ?? NO_USAGE, rawUsage, model: null } // the answer does not name its model
}

/** `inputTokens` excludes cache reads and writes: the prompt is the sum of the three. */
export function readUsage(value: unknown): Usage | null {
  const usage = fields(value)
  if (usage === null || !('inputTokens' in usage || 'cacheReadInputTokens' in usage)) return null
  const uncached = count(usage['inputTokens'])
  const read = count(usage['cacheReadInputTokens'])
  const write = count(usage['cacheWriteInputTokens'])
  const details = Array.isArray(usage['cacheDetails']) ? usage['cacheDetails'].map(fields) : []
  const byRetention: Record<string, number> = {}
  for (const detail of details) {
    const tokens = count(detail?.['inputTokens'])
    const ttl = detail?.['ttl']
    if (typeof ttl === 'string' && tokens !== null) byRetention[ttl] = (byRetention[ttl] ?? 0) + tokens
  }
  return {
    ...nature(usage, false),
    inputTokens: uncached === null || read === null || write === null ? null : uncached + read + write,
    uncachedTokens: uncached,
    cacheReadTokens: read,
    cacheWriteTokens: write,
    cacheWriteByRetention: byRetention,
    outputTokens: count(usage['outputTokens']),
    reasoningTokens: null,
  }
}
