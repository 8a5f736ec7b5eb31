import { edit, objectEdits } from '../../../core/prompt/json-edit.ts'
import { readBody } from './body.ts'

/**
 * A body with nothing but what a count takes. Null: it has another member, which may add tokens that the count would leave out. `without`:
 * members that add none.
 */
export function countable(text: string, taken: ReadonlySet<string>, without: ReadonlySet<string>): string | null {
  const { root } = readBody(text)
  const others = root.members.filter(({ key }) => !taken.has(key))
  if (others.some(({ key, value }) => !without.has(key) && value.type !== 'null')) return null
  return edit(text, objectEdits(root, Object.fromEntries(others.map(({ key }) => [key, null]))))
}

/** Names of members, as a set. */
export function members(names: string): ReadonlySet<string> {
  return new Set(names.split(/\s+/))
}
