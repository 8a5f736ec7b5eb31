/** Chooses the tests of `npm test -- --changed`: those nearest to a change, for about a minute. */
import { execFileSync } from 'node:child_process'
import { distances, type Imports } from './imports.ts'

/** Duration of each file in the last run, in milliseconds, by its path. */
export type Times = Record<string, number>

export interface Choice {
  /** Test files to run, nearest first. */
  run: string[]
  /** Test files that the change may also break, and that do not fit into the time. */
  left: string[]
}

/** Limit of the chosen tests' durations, summed: two cores for a little over half a minute. */
const budgetMs = 60_000
/** What each file takes beside its tests: its modules are read and evaluated. */
const loadMs = 800
/** Assumed duration of a file that was never timed. */
function guessMs(path: string): number {
  if (path.startsWith('test/scenarios/')) return 20_000 // days of virtual time
  return isWorkerd(path) ? 6000 : 1500
}

const isTest = (path: string): boolean => path.startsWith('test/') && path.endsWith('.test.ts')
const isWorkerd = (path: string): boolean => path.endsWith('.workerd.test.ts') || path.startsWith('test/durable/live/')
const isProduct = (path: string): boolean => path.endsWith('.e2e.test.ts') || path.startsWith('test/e2e/')
/** Tests that read the sources as text. Any change can break them, and they are quick. */
const readsEverything = (path: string): boolean => /^test\/(docs|house)\//.test(path)

export function choose(changed: string[], imports: Imports, times: Times): Choice {
  const away = distances(imports, changed)
  for (const path of imports.keys()) if (readsEverything(path) && !away.has(path)) away.set(path, 1)
  const timeOf = (path: string): number => loadMs + (times[path] ?? guessMs(path))
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

/** Returns the paths that differ from a commit. Without one: the uncommitted paths, or, if there are none, those of the last commit. */
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
