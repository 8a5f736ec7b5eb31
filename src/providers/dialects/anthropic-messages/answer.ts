import { readEvents, stringOf, unreadable } from '../shared/answer.ts'
import { count, fields, nature, NO_USAGE, writesByRetention } from '../shared/usage.ts'
import type { Fields } from '../shared/usage.ts'
import type { Usage } from '../../../core/model/usage.ts'
import type { ProbeAnswer } from '../../dialect.ts'

export function readAnswer(text: string, contentType: string): ProbeAnswer {
  const { streamed, events } = readEvents(text, contentType)
  if (!streamed) {
    const message = events[0]!
    if (message['type'] !== 'message') throw unreadable('it is not a message')
    return answer(message, fields(message['usage']))
  }
  const start = fields(events.find((event) => event['type'] === 'message_start')?.['message'])
  if (start === null) throw unreadable('the stream has no beginning')
  if (!events.some((event) => event['type'] === 'message_stop')) throw unreadable('the stream has no end')
  // Later events repeat the counts cumulatively. Null in them leaves a count unchanged.
  const usage: Record<string, unknown> = { ...fields(start['usage']) }
  for (const event of events.filter(({ type }) => type === 'message_delta')) {
    for (const [key, value] of Object.entries(fields(event['usage']) ?? {})) if (value !== null) usage[key] = value
  }
  return answer(start, usage)
}

function answer(message: Fields, usage: Fields | null): ProbeAnswer {
  return { usage: readUsage(usage) ?? NO_USAGE, rawUsage: usage, model: stringOf(message['model']) }
}

/** `input_tokens` excludes cache reads and writes: the prompt is the sum of the three. */
export function readUsage(value: unknown): Usage | null {
  const usage = fields(value)
  if (usage === null || !('input_tokens' in usage || 'cache_read_input_tokens' in usage)) return null
  const uncached = count(usage['input_tokens'])
  const read = count(usage['cache_read_input_tokens'])
  const write = count(usage['cache_creation_input_tokens'])
  const byRetention = writesByRetention(usage['cache_creation'], /^ephemeral_(\w+)_input_tokens$/)
  const named = Object.values(byRetention)
  // Where tools ran at the provider, the split may be of one sampling, and the count of all.
  const { summed } = nature(usage, false)
  const differs = write !== null && named.length > 0 && named.reduce((sum, tokens) => sum + tokens, 0) !== write
  return {
    ...nature(usage, differs && summed !== true),
    inputTokens: uncached === null || read === null || write === null ? null : uncached + read + write,
    uncachedTokens: uncached,
    cacheReadTokens: read,
    cacheWriteTokens: write,
    cacheWriteByRetention: byRetention,
    outputTokens: count(usage['output_tokens']),
    reasoningTokens: count(fields(usage['output_tokens_details'])?.['thinking_tokens']),
  }
}
