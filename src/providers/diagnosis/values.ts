/** The first leaf at which two JSON values differ. `null`: one of the two has none there. */
export interface LeafDifference {
  path: string
  before: string | null
  after: string | null
}

/** The first leaf at which two values differ; null: they are equal but for the order of members. */
export function firstLeaf(before: unknown, after: unknown, path = ''): LeafDifference | null {
  if (isObject(before) && isObject(after)) {
    for (const key of new Set([...Object.keys(before), ...Object.keys(after)])) {
      const at = path === '' ? key : `${path}.${key}`
      const found = firstLeaf(before[key], after[key], at)
      if (found !== null) return found
    }
    return null
  }
  if (Array.isArray(before) && Array.isArray(after)) {
    for (let index = 0; index < Math.max(before.length, after.length); index++) {
      const found = firstLeaf(before[index], after[index], `${path}[${index}]`)
      if (found !== null) return found
    }
    return null
  }
  const [one, other] = [shown(before), shown(after)]
  return one === other ? null : { path, before: one, after: other }
}

/** The same value with its members in alphabetical order, as text. */
export function sortedText(value: unknown): string {
  return JSON.stringify(sorted(value))
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (!isObject(value)) return value
  return Object.fromEntries(
    Object.keys(value)
      .toSorted()
      .map((key) => [key, sorted(value[key])]),
  )
}

function shown(value: unknown): string | null {
  if (value === undefined) return null
  return typeof value === 'string' ? value : JSON.stringify(value)
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
