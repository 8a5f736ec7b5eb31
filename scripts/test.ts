/**
 * npm test [-- filters and options of vitest]
 *
 * Without arguments: the production bundle, the types, then every test of every project. With arguments: only the tests they
 * name. A line `N passed, N failed` stands alone at the end, before the last word.
 */
import { mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { root, run, step } from './step.ts'
import { count, type VitestReport } from './test-count.ts'

const filters = process.argv.slice(2)
const report = join(root, '.state/test-report.json')

const problems: string[] = []
if (filters.length === 0) {
  if (!(await step('Production bundle', 'wrangler', ['deploy', '--dry-run', '--outdir', '.state/build'])))
    problems.push('bundle')
  if (!(await step('Types', 'tsc', ['-p', '.']))) problems.push('types')
}

mkdirSync(join(root, '.state'), { recursive: true })
rmSync(report, { force: true })
console.log('▸ Tests')
const { code } = await run(
  'vitest',
  ['run', '--reporter=default', '--reporter=json', `--outputFile.json=${report}`, ...filters],
  {
    show: true,
  },
)
const { passed, failed, skipped } = readReport()
if (code !== 0 || failed > 0) problems.push('tests')
if (passed === 0 && failed === 0) problems.push('no test ran')

if (skipped > 0) console.log(`${skipped} skipped`)
console.log(`${passed} passed, ${failed} failed`)
console.log(problems.length === 0 ? 'Everything passed.' : `Failed: ${problems.join(', ')}.`)
process.exitCode = problems.length === 0 ? 0 : 1

function readReport(): ReturnType<typeof count> {
  try {
    return count(JSON.parse(readFileSync(report, 'utf8')) as VitestReport)
  } catch (error) {
    console.log(`vitest left no report: ${error instanceof Error ? error.message : String(error)}`)
    return { passed: 0, failed: 0, skipped: 0 }
  }
}
