import { fields } from './usage.ts'
import type { Fields } from './usage.ts'

/** Reads a server-sent stream whose pieces may be cut anywhere. Lines that are no event are skipped: the whole answer is read later. */
export function createDeltas(
  delta: (event: Fields) => string,
  onText: (text: string) => void,
): (piece: string) => void {
  let rest = ''
  return (piece) => {
    const lines = (rest + piece).split(/\r\n|\n|\r(?!$)/)
    rest = lines.pop() ?? ''
    const text = lines.map((line) => deltaOf(line, delta)).join('')
    if (text !== '') onText(text)
  }
}

function deltaOf(line: string, delta: (event: Fields) => string): string {
  if (!line.startsWith('data:')) return ''
  try {
    const event = fields(JSON.parse(line.slice(5)))
    return event === null ? '' : delta(event)
  } catch {
    return '' // `[DONE]`, or a broken event, which the reading of the whole answer reports
  }
}
