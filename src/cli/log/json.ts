import { UsageError } from '../shell.ts'
import { isFields, tooLargeRight } from './entry.ts'
import type { LogRecord } from './entry.ts'

/** Messages of `JSON.parse` quote the text, which may be a prompt, so none of them is passed on. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const OBJECT_RIGHT = 'a JSON object'

function record(line: number, value: unknown): LogRecord {
  return isFields(value) ? { line, fields: value } : { line, fault: { field: null, right: OBJECT_RIGHT } }
}

/** Reads one JSON object a line. Each line that is none is a fault. */
export async function* jsonLines(chunks: AsyncIterable<string>, largest: number): AsyncGenerator<LogRecord[]> {
  let rest = ''
  let line = 1
  let tooLong = false
  const one = function* (text: string): Generator<LogRecord> {
    const at = line++
    if (tooLong || text.length > largest) yield { line: at, fault: { field: null, right: tooLargeRight(largest) } }
    else if (text.trim() !== '') yield record(at, parsed(text))
    tooLong = false
  }
  for await (const chunk of chunks) {
    const lines = (rest + chunk).split('\n')
    rest = lines.pop() ?? ''
    yield lines.flatMap((text) => [...one(text)])
    if (rest.length > largest) {
      tooLong = true
      rest = ''
    }
  }
  if (rest !== '' || tooLong) yield [...one(rest)]
}

/**
 * Reads JSON objects in a row or in one array, by counting brackets outside of strings. An object with a list in `data`, a page of
 * an API, is read as that list. A broken object ends the reading, since the begin of the next one cannot be found.
 */
export async function* jsonValues(chunks: AsyncIterable<string>, largest: number): AsyncGenerator<LogRecord[]> {
  let text = ''
  let position = 0
  let start = -1
  let depth = 0
  let inArray = false
  let inString = false
  let escaped = false
  let line = 1
  let startLine = 1
  const tooLarge = (): UsageError =>
    new UsageError(`line ${startLine}: the value that begins here is too large; expected ${tooLargeRight(largest)}`)
  const broken = (what: string): UsageError => new UsageError(`line ${line}: ${what}`)
  for await (const chunk of chunks) {
    text += chunk
    for (; position < text.length; position++) {
      const code = text.charCodeAt(position)
      if (code === 10) line++
      if (inString) {
        if (escaped) escaped = false
        else if (code === 92) escaped = true
        else if (code === 34) inString = false
      } else if (code === 34) {
        if (depth === 0) throw broken('not a JSON object; expected an object for each request')
        inString = true
      } else if (code === 123 || (code === 91 && depth > 0)) {
        if (depth++ === 0) {
          start = position
          startLine = line
        }
      } else if (code === 91) {
        if (inArray) throw broken('a list in a list; expected an object for each request')
        inArray = true
      } else if (code === 125 || (code === 93 && depth > 0)) {
        if (depth === 0) throw broken('a closing bracket has no opening bracket')
        if (--depth === 0) {
          if (position + 1 - start > largest) throw tooLarge()
          const value = parsed(text.slice(start, position + 1))
          if (value === undefined)
            throw new UsageError(`line ${startLine}: the value that begins here is not valid JSON`)
          yield opened(startLine, value)
          text = text.slice(position + 1)
          position = -1
          start = -1
        }
      } else if (code === 93) inArray = false
      else if (depth === 0 && code > 32 && code !== 44)
        throw broken('not a JSON object; expected an object for each request')
    }
    if (start < 0) text = ''
    else if (text.length - start > largest) throw tooLarge()
    else {
      text = text.slice(start)
      start = 0
    }
    position = text.length
  }
  if (depth > 0) throw new UsageError(`line ${startLine}: the value that begins here has no end; the file is cut off`)
  if (inArray) throw broken('the list has no end; the file is cut off')
}

function opened(line: number, value: unknown): LogRecord[] {
  const page = isFields(value) ? value['data'] : undefined
  return Array.isArray(page) ? page.map((one) => record(line, one)) : [record(line, value)]
}
