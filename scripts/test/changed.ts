/** What `npm test -- --changed` runs: the tests nearest to a change, as far as a minute goes. */
import { execFileSync } from 'node:child_process'
import { distances, type Imports } from './imports.ts'

/** How long each file took last time, in milliseconds, by its path. */
export type Times = Record<string, number>

export interface Choice {
  /** Test files to run, nearest first. */
  run: string[]
  /** Test files that the change may reach too, and that do not fit. */
  left: string[]
}

/** What the tests of a choice may take, one after another: two cores for a good half of a minute. */
const budgetMs = 70_000
/** Of a file that was never timed. */
function guessMs(path: string): number {
  if (path.startsWith('test/scenarios/')) return 20_000 // days of virtual time
  return isWorkerd(path) ? 6000 : 1500
}

const isTest = (path: string): boolean => path.startsWith('test/') && path.endsWith('.test.ts')
const isWorkerd = (path: string): boolean => path.endsWith('.workerd.test.ts') || path.startsWith('test/durable/live/')
const isProduct = (path: string): boolean => path.endsWith('.e2e.test.ts') || path.startsWith('test/e2e/')
/** They read files as texts, whatever they import, and are quick. */
const readsEverything = (path: string): boolean => /^test\/(docs|house)\//.test(path)

export function choose(changed: string[], imports: Imports, times: Times): Choice {
  const away = distances(imports, changed)
  for (const path of imports.keys()) if (readsEverything(path) && !away.has(path)) away.set(path, 1)
  const timeOf = (path: string): number => times[path] ?? guessMs(path)
  const near = [...away]
    .filter(([path]) => isTest(path) && imports.has(path))
    .sort(([a, nearA], [b, nearB]) => nearA - nearB || timeOf(a) - timeOf(b))
  const choice: Choice = { run: [], left: [] }
  let spentMs = 0
  for (const [path, distance] of near) {
    const fits = !isProduct(path) && spentMs + timeOf(path) <= budgetMs
    if (distance > 0 && !fits) choice.left.push(path)
    else {
      choice.run.push(path)
      spentMs += timeOf(path)
    }
  }
  return choice
}

/** Paths that differ from a commit, or, without one, that are not committed; if there are none, those of the last commit. */
export function changedFiles(root: string, ref: string): string[] {
  const git = (...args: string[]): string[] =>
    execFileSync('git', args, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
      .split('\0')
      .filter((path) => path !== '')
  const differing = (commit: string): string[] => [
    ...git('diff', '--name-only', '-z', commit, '--'),
    ...git('ls-files', '--others', '--exclude-standard', '-z'),
  ]
  if (ref !== '') return differing(ref)
  const uncommitted = differing('HEAD')
  return uncommitted.length > 0 ? uncommitted : git('diff', '--name-only', '-z', 'HEAD~1', 'HEAD', '--')
}
