import { Failure } from '../../../contract/failure.ts'
import { markDisagreeing } from '../../../core/prompt/json-disagreeing.ts'
import { fields } from './usage.ts'
import type { Fields } from './usage.ts'

/** The JSON objects of an answer: one for a plain answer, one per event for a server-sent stream. */
export interface Answer {
  streamed: boolean
  events: Fields[]
  /** True: the stream ended with `[DONE]`. */
  done: boolean
}

export function unreadable(what: string): Failure {
  return new Failure('unreadable_answer', `The provider's answer cannot be read: ${what}.`)
}

/** Splits a complete answer into its JSON objects. Truncated or malformed text is `unreadable_answer`. */
export function readEvents(text: string, contentType: string): Answer {
  const streamed = contentType.includes('event-stream') || /^\s*(event|data|id):/.test(text)
  if (!streamed) return { streamed, events: [parse(text)], done: false }
  const events: Fields[] = []
  let done = false
  for (const block of text.split(/\r\n\r\n|\n\n|\r\r/)) {
    const data = block
      .split(/\r\n|\n|\r/)
      .filter((line) => line.startsWith('data:'))
      .map((line) => line.slice(line.startsWith('data: ') ? 6 : 5))
    if (data.length === 0) continue
    if (data[0]?.trim() === '[DONE]') done = true
    else events.push(parse(data.join('\n')))
  }
  return { streamed, events, done }
}

function parse(text: string): Fields {
  let value: unknown
  try {
    value = markDisagreeing(text, JSON.parse(text))
  } catch {
    throw unreadable('it is not complete JSON')
  }
  const object = fields(value)
  if (object === null) throw unreadable('it is not a JSON object')
  return object
}

export function stringOf(value: unknown): string | null {
  return typeof value === 'string' ? value : null
}
