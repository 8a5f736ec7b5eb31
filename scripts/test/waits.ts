/** Finds test files that wait for something in the background. */
import { importsOf, type Imports } from './imports.ts'

/** Signs of waiting: a polled condition, a pause between two polls, and a call that the Worker answers later (`wait`). */
const waiting = /\bvi\.wait(?:For|Until)\(|\.poll\(|\bpause\(|\bwait: ['"\d]|[?&]wait=/

export function waits(text: string): boolean {
  return waiting.test(text)
}

/** Returns the test files that wait, directly or through an imported file of the test folder. Sorted. */
export function waitingTests(texts: Map<string, string>): string[] {
  const imports: Imports = new Map([...texts].map(([path, text]) => [path, importsOf(path, text)]))
  const waitsSomewhere = (path: string, seen: Set<string>): boolean => {
    if (seen.has(path)) return false
    seen.add(path)
    const text = texts.get(path)
    if (text === undefined) return false
    return waits(text) || (imports.get(path) ?? []).some((target) => waitsSomewhere(target, seen))
  }
  return [...texts.keys()].filter((path) => path.endsWith('.test.ts') && waitsSomewhere(path, new Set())).sort()
}
