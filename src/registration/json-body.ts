import { Failure } from '../contract/failure.ts'
import type * as z from 'zod'
import { fieldPath, parseWith } from '../contract/issues.ts'
import { readJson } from '../core/prompt/json-text.ts'
import type { JsonNode } from '../core/prompt/json-text.ts'
import { RawJson } from '../contract/raw-json.ts'

export const MAX_PREFIX_BYTES = 4 * 1024 * 1024

/** JSON values and keys in one body. Many short ones take far more memory, and computing, than their bytes look like. */
export const MAX_VALUES = 80_000

export function tooLargeFailure(what: string, limit: number, field: string): Failure {
  return new Failure('payload_too_large', `${what} is larger than ${limit} bytes.`, { field, limit_bytes: limit })
}

/** Selects values that keep their exact text, by their path in the envelope. */
export type RawPath = (path: readonly (string | number)[]) => boolean

/** In the body of `POST /warm`: the provider's body, and the schemas inside the neutral form. */
export const WARM_RAW: RawPath = (path) =>
  (path.length === 1 && (path[0] === 'request' || path[0] === 'response_schema')) ||
  (path.length === 3 && path[0] === 'tools' && path[2] === 'parameters')

/** Reads a text against a schema; values at `raw` paths keep their exact text. `deep`: how deep such a value may lie. */
export function parseBody<Schema extends z.ZodType>(
  text: string,
  schema: Schema,
  raw: RawPath = () => false,
  deep = 3,
): z.output<Schema> {
  limitValues(text, MAX_VALUES)
  return parseWith(schema, valueOf(text, readJson(text), [], raw, deep))
}

function valueOf(
  text: string,
  node: JsonNode,
  path: readonly (string | number)[],
  raw: RawPath,
  deep: number,
): unknown {
  if (raw(path)) return new RawJson(text.slice(node.start, node.end))
  if (path.length < deep) {
    if (node.type === 'array') return node.items.map((item, index) => valueOf(text, item, [...path, index], raw, deep))
    if (node.type === 'object') {
      return Object.fromEntries(
        node.members.map(({ key, value }) => [key, valueOf(text, value, [...path, key], raw, deep)]),
      )
    }
  }
  return JSON.parse(text.slice(node.start, node.end))
}

/** Counts values and keys by their separators, before any of them takes memory. The failure names the member of the body that has one too many. */
export function limitValues(text: string, most: number): void {
  let count = 1
  let depth = 0
  let quoted = false
  let began = 0
  let key = ''
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (quoted) {
      if (code === 92) at++
      else if (code === 34) {
        quoted = false
        if (depth === 1 && at - began < LONGEST_NAME) key = text.slice(began, at)
      }
    } else if (code === 34) {
      quoted = true
      began = at + 1
    } else if (code === 91 || code === 123) {
      depth++
      count++
    } else if (code === 93 || code === 125) depth--
    else if (code === 44 || code === 58) count++
    if (count > most) throw tooMany(depth > 1 ? fieldPath([key]) : '', most)
  }
}

const LONGEST_NAME = 64

function tooMany(field: string, most: number): Failure {
  return new Failure(
    'payload_too_large',
    `${field === '' ? 'The body' : field}: holds more than ${most} JSON values and keys.`,
    {
      field,
      limit_values: most,
    },
  )
}
