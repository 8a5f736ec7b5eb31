import { visit } from 'jsonc-parser'

type Path = readonly (string | number)[]

/** A member whose name has to do with counts. Only answers that have one of them twice are read a second time. */
const COUNT_NAMES = /"([^"\\]*(?:token|usage|count|_n)[^"\\]*)"\s*:/gi

/**
 * JSON allows an object to have one name twice, and `JSON.parse` keeps the last. Where two values of one count are not the same, it is not
 * known which of them is true: the member of `parsed`, which is changed, becomes `NaN`. Returns `parsed`.
 */
export function markDisagreeing(text: string, parsed: unknown): unknown {
  const names = Array.from(text.matchAll(COUNT_NAMES), ([, name]) => name)
  if (new Set(names).size === names.length && !text.includes('\\u')) return parsed
  for (const path of disagreeing(text)) setNaN(parsed, path)
  return parsed
}

/** Paths of numbers that the text states more than once and not alike, or in one of two objects of the same name alone. */
function disagreeing(text: string): Path[] {
  const objects = new Map<string, number>()
  const values = new Map<string, { path: Path; stated: unknown[] }>()
  visit(text, {
    onObjectBegin: (_offset, _length, _line, _character, pathOf) => {
      const key = JSON.stringify(pathOf())
      objects.set(key, (objects.get(key) ?? 0) + 1)
    },
    onLiteralValue: (value: unknown, _offset, _length, _line, _character, pathOf) => {
      const path = pathOf()
      const key = JSON.stringify(path)
      const known = values.get(key)
      if (known === undefined) values.set(key, { path, stated: [value] })
      else known.stated.push(value)
    },
  })
  const twice = [...objects].some(([, times]) => times > 1)
  return [...values.values()].flatMap(({ path, stated }) => {
    const times = twice
      ? Math.max(...path.map((_, depth) => objects.get(JSON.stringify(path.slice(0, depth))) ?? 1))
      : 1
    const isAlike = stated.every((value) => value === stated[0])
    // One object said it and the other did not, or a value stands beside one of the same name.
    const isMissing = stated.length !== times && times > 1
    return stated.some((value) => typeof value === 'number') && (!isAlike || isMissing) ? [path] : []
  })
}

function setNaN(value: unknown, path: Path): void {
  let at = value
  for (const step of path.slice(0, -1)) {
    if (typeof at !== 'object' || at === null) return
    at = (at as Record<string | number, unknown>)[step]
  }
  const last = path.at(-1)
  if (typeof at === 'object' && at !== null && last !== undefined)
    (at as Record<string | number, unknown>)[last] = Number.NaN
}
