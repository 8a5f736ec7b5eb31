import type { Usage } from '../../../core/model/usage.ts'
import { readEvents, stringOf, unreadable } from '../shared/answer.ts'
import { count, fields, inclusive, nature, NO_USAGE } from '../shared/usage.ts'
import type { ProbeAnswer } from '../../dialect.ts'

export function readAnswer(text: string, contentType: string): ProbeAnswer {
  const { streamed, events } = readEvents(text, contentType)
  const isAnswer = ({ candidates, promptFeedback, usageMetadata }: Readonly<Record<string, unknown>>): boolean =>
    Array.isArray(candidates) || fields(promptFeedback) !== null || fields(usageMetadata) !== null
  const last = events.findLast(isAnswer)
  if (last === undefined || events.some((event) => 'error' in event)) throw unreadable('it has no candidates')
  if (streamed && !events.some(hasEnded)) throw unreadable('the stream has no end')
  const rawUsage = fields(events.findLast((event) => fields(event['usageMetadata']) !== null)?.['usageMetadata'])
  return { usage: readUsage(rawUsage) ?? NO_USAGE, rawUsage, model: stringOf(last['modelVersion']) }
}

function hasEnded(event: Readonly<Record<string, unknown>>): boolean {
  if (fields(event['promptFeedback']) !== null) return true
  const candidates = Array.isArray(event['candidates']) ? event['candidates'] : []
  return candidates.some((candidate) => typeof fields(candidate)?.['finishReason'] === 'string')
}

/**
 * `promptTokenCount` is the whole prompt. Protobuf JSON leaves out members that are 0, so beside a prompt count an absent
 * `cachedContentTokenCount` is a reported 0, unlike in the other formats.
 */
export function readUsage(value: unknown): Usage | null {
  const usage = fields(value)
  if (usage === null || !('promptTokenCount' in usage)) return null
  const total = count(usage['promptTokenCount'])
  const thoughts = count(usage['thoughtsTokenCount'])
  const candidates = count(usage['candidatesTokenCount'])
  const whole = count(usage['totalTokenCount'])
  const rest = whole === null || total === null ? null : Math.max(0, whole - total)
  const read = 'cachedContentTokenCount' in usage ? count(usage['cachedContentTokenCount']) : total === null ? null : 0
  return {
    ...inclusive({
      total,
      read,
      write: null,
      output: candidates === null && thoughts === null ? rest : (candidates ?? 0) + (thoughts ?? 0),
      reasoning: thoughts,
      all: whole,
    }),
    ...nature(usage, false),
  }
}
