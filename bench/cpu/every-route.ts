import * as z from 'zod'
import { operations } from '../../src/http/openapi.ts'
import type { Operation } from '../../src/http/server/openapi-operation.ts'
import { filledWith, keyed, MB, numbered, WORDS } from './parts.ts'

/** A route that takes a body, as `POST /warm`, and the schema of that body. */
export interface BodyRoute {
  name: string
  body: z.ZodType
}

/** Every route of the API that takes a body. */
export function bodyRoutes(): BodyRoute[] {
  return operations.flatMap(({ method, path, body }: Operation) =>
    body === undefined ? [] : [{ name: `${method.toUpperCase()} ${path}`, body }],
  )
}

const DEPTH = 90_000
const nestedText = `${'{"a":['.repeat(DEPTH / 2)}1${']}'.repeat(DEPTH / 2)}`

/** Values of which a body may hold just so many. Each is tried in the place of every member. */
const within: Record<string, string> = {
  '39,000 keys': JSON.stringify(keyed(39_000, 1)),
  '79,000 numbers': JSON.stringify(numbered(79_000, (n) => n / 7)),
  '26,000 objects': JSON.stringify(numbered(26_000, () => ({ a: 1 }))),
  '7.9 MB of words': JSON.stringify(filledWith(WORDS, 7.9 * MB)),
}

/** Values above a limit, which no member is read behind. */
const above: Record<string, string> = {
  '390,000 keys': JSON.stringify(keyed(390_000, 1)),
  '390,000 numbers': JSON.stringify(numbered(390_000, (n) => n)),
  '90,000 levels': nestedText,
  '7.9 MB of "\\"': JSON.stringify(filledWith('\\', 3.9 * MB)),
}

function shapeOf(body: z.ZodType): Shape {
  return z.toJSONSchema(body, { io: 'input', unrepresentable: 'any' }) as Shape
}

/** The members that a body may have at its top, by its schema. */
export function membersOf(body: z.ZodType): string[] {
  const names = new Set<string>()
  const collect = ({ properties = {}, anyOf = [], oneOf = [], allOf = [], items }: Shape): void => {
    for (const name of Object.keys(properties)) names.add(name)
    for (const one of [...anyOf, ...oneOf, ...allOf]) collect(one)
    if (items !== undefined) collect(items)
  }
  collect(shapeOf(body))
  return [...names]
}

interface Shape {
  type?: string
  properties?: Record<string, unknown>
  anyOf?: Shape[]
  oneOf?: Shape[]
  allOf?: Shape[]
  items?: Shape
}

/** Hostile bodies of a route: each value as the whole body, and as each member that its schema knows, or does not. */
export function* hostileTo({ body }: BodyRoute): Generator<{ shape: string; text: string }> {
  const isList = shapeOf(body).type === 'array'
  for (const [shape, value] of Object.entries({ ...within, ...above }))
    yield { shape: `${shape} as the body`, text: value }
  for (const [shape, value] of Object.entries(within))
    for (const name of [...membersOf(body), 'unknown']) {
      const text = `{${JSON.stringify(name)}:${value}}`
      yield { shape: `${shape} as ${name}`, text: isList ? `[${text}]` : text }
    }
}
