import type * as z from 'zod'

/** What is read of a schema's definition. */
interface Definition {
  type: string
  shape?: Readonly<Record<string, z.core.$ZodType>>
  innerType?: z.core.$ZodType
  in?: z.core.$ZodType
  element?: z.core.$ZodType
  valueType?: z.core.$ZodType
  options?: readonly z.core.$ZodType[]
  getter?: () => z.core.$ZodType
}

/** Names of the members that a schema takes at a path; empty: it takes none there. */
export function membersAt(schema: z.core.$ZodType, path: readonly PropertyKey[]): string[] {
  const [next, ...rest] = path
  const {
    type,
    shape,
    innerType,
    in: input,
    element,
    valueType,
    options,
    getter,
  } = schema._zod.def as unknown as Definition
  const through = innerType ?? (type === 'pipe' ? input : undefined) ?? getter?.()
  if (through !== undefined) return membersAt(through, path)
  if (options !== undefined) return [...new Set(options.flatMap((option) => membersAt(option, path)))]
  if (next === undefined) return Object.keys(shape ?? {})
  const below = typeof next === 'number' ? element : (shape?.[String(next)] ?? valueType)
  return below === undefined ? [] : membersAt(below, rest)
}

/** Words that a value may be, where one of them was wanted. */
export function wordsOf(issue: z.core.$ZodIssue): string[] {
  if (issue.code === 'invalid_value') return issue.values.filter((word) => typeof word === 'string')
  if (issue.code !== 'invalid_union') return []
  return issue.errors.flatMap((branch) => branch.flatMap((one) => (one.path.length === 0 ? wordsOf(one) : [])))
}

/** The value at a path. */
export function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (at, key) => (typeof at === 'object' && at !== null ? Reflect.get(at, key) : undefined),
    value,
  )
}
