/** Import graph, read from the texts of the files. */
import { globSync, readFileSync } from 'node:fs'
import { posix, resolve } from 'node:path'

/** Each file with the files that it imports, as paths from the project's folder with forward slashes. */
export type Imports = Map<string, string[]>

const sources = '{src,test,scripts,bench,examples}/**/*.{ts,mjs,json}'

export function importsIn(root: string): Imports {
  const paths = globSync(sources, { cwd: root, exclude: ['**/node_modules/**'] }).map((path) =>
    path.replaceAll('\\', '/'),
  )
  return new Map(paths.map((path) => [path, importsOf(path, readFileSync(resolve(root, path), 'utf8'))]))
}

/**
 * Returns the relative imports of one file. Type imports are left out: they do not exist at run time, and the type check covers them.
 * A test in the Workers runtime depends on the whole Worker, also on files that it does not import.
 */
export function importsOf(path: string, text: string): string[] {
  const pattern =
    /(?:^|\n)\s*(?:import|export)\s(?!type\b)[^'"`;]*?['"](\.{1,2}\/[^'"]+)['"]|\bimport\s*\(\s*['"](\.{1,2}\/[^'"]+)['"]/g
  const found = path.endsWith('.json') ? [] : [...text.matchAll(pattern)].map((match) => match[1] ?? match[2] ?? '')
  const targets = found.map((target) => posix.join(posix.dirname(path), target))
  if (path.endsWith('.workerd.test.ts')) targets.push('src/worker.ts')
  return targets
}

/** Returns the number of imports between each file and the nearest of the given ones (0 for these). Unconnected files are missing. */
export function distances(imports: Imports, from: string[]): Map<string, number> {
  const importers = new Map<string, string[]>()
  for (const [path, targets] of imports)
    for (const target of targets) importers.set(target, [...(importers.get(target) ?? []), path])
  const found = new Map(from.map((path) => [path, 0]))
  for (const path of found.keys()) {
    for (const importer of importers.get(path) ?? [])
      if (!found.has(importer)) found.set(importer, (found.get(path) ?? 0) + 1)
  }
  return found
}
