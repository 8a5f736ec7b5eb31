/**
 * npm test [-- options and filters]: see scripts/test/options.ts, or npm test -- --help.
 *
 * Without arguments it builds the production bundle, checks the types, then runs every test of every project. A line
 * `N passed, N failed` comes before the last line. All processes that the run started end with it, however it ends.
 */
import { globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { install } from './install.ts'
import { stopSignal } from './start/signals.ts'
import { root, run, step } from './step.ts'
import { changedFiles, choose, type Times } from './test/changed.ts'
import { importsIn } from './test/imports.ts'
import { help, parseOptions } from './test/options.ts'
import { slowest, type TimedReport } from './test/slowest.ts'
import { waitingTests } from './test/waits.ts'
import { count, type VitestReport } from './test-count.ts'

const report = join(root, '.state/test-report.json')
const timesFile = join(root, '.state/test-times.json')
const repeatLog = join(root, '.state/repeat.log')
const interrupted = 130

interface Report {
  testResults: (VitestReport['testResults'][number] & TimedReport['testResults'][number])[]
}

const parsed = parseOptions(process.argv.slice(2))
if ('problem' in parsed) {
  console.error(`${parsed.problem}\nnpm test -- --help lists the options.`)
  process.exitCode = 2
} else if (parsed.help) {
  console.log(help)
} else {
  mkdirSync(join(root, '.state'), { recursive: true })
  const { signal } = stopSignal()
  const work =
    parsed.repeat !== null
      ? repeat(parsed.repeat, parsed.rest, signal)
      : parsed.changed !== null
        ? changed(parsed.changed, parsed.rest, signal)
        : parsed.rest.length > 0
          ? tests(parsed.rest, signal, [])
          : everything(signal)
  const code = await work
  process.exit(signal.aborted ? interrupted : code) // the signal handlers would keep the process alive
}

async function everything(until: AbortSignal): Promise<number> {
  const bundle = ['deploy', '--dry-run', '--outdir', '.state/build']
  const [bundled, typed, installed] = await Promise.all([
    step('Production bundle', 'wrangler', bundle, { until }),
    step('Types', 'tsc', ['-p', '.'], { until }),
    clients(),
  ])
  return tests([], until, [
    ...(bundled ? [] : ['bundle']),
    ...(typed ? [] : ['types']),
    ...(installed ? [] : ['clients']),
  ])
}

/** Installs the clients of others that are tested through the gateway. */
async function clients(): Promise<boolean> {
  try {
    await install('test/clients')
    return true
  } catch (error) {
    console.log(error instanceof Error ? error.message : String(error))
    return false
  }
}

async function changed(ref: string, more: string[], until: AbortSignal): Promise<number> {
  const files = changedFiles(root, ref)
  const { run: chosen, left } = choose(files, importsIn(root), times())
  const typed = await step('Types', 'tsc', ['-p', '.'], { until })
  console.log(`${files.length} changed files, ${chosen.length} test files near them; ${left.length} left to npm test`)
  if (chosen.length === 0) return typed ? 0 : 1
  return tests([...chosen, ...more], until, typed ? [] : ['types'])
}

/** Runs vitest, then prints the slowest files and the result. */
async function tests(given: string[], until: AbortSignal, problems: string[]): Promise<number> {
  console.log('▸ Tests')
  const { code, found } = await vitest(given, until, true)
  if (until.aborted) return interrupted
  const { passed, failed, skipped } = count(found)
  if (code !== 0 || failed > 0) problems.push('tests')
  if (passed === 0 && failed === 0) problems.push('no test ran')

  const slow = slowest(found, root)
  if (slow.length > 1) console.log(`Slowest files:\n${slow.join('\n')}`)
  if (skipped > 0) console.log(`${skipped} skipped`)
  console.log(`${passed} passed, ${failed} failed`)
  console.log(problems.length === 0 ? 'Everything passed.' : `Failed: ${problems.join(', ')}.`)
  return problems.length === 0 ? 0 : 1
}

/** Runs vitest several times, each with new processes, runtimes and state. */
async function repeat(rounds: number, filters: string[], until: AbortSignal): Promise<number> {
  const files = waitingTests(textsOfTests()).filter(
    (path) => filters.length === 0 || filters.some((one) => path.includes(one)),
  )
  console.log(`${files.length} test files wait for something: ${files.join(', ')}`)
  if (files.length === 0) return 1
  for (let round = 1; round <= rounds; round++) {
    const startedAt = performance.now()
    const { code, found, output } = await vitest(['--bail=1', ...files], until, false)
    if (until.aborted) return interrupted
    const { passed, failed } = count(found)
    const seconds = Math.round((performance.now() - startedAt) / 1000)
    console.log(`round ${round} of ${rounds}: ${passed} passed, ${failed} failed (${seconds} s)`)
    if (code !== 0 || failed > 0 || passed === 0) {
      writeFileSync(repeatLog, output)
      console.log(output.trimEnd())
      console.log(`Failed in round ${round}; the output is kept in ${relative(root, repeatLog)}.`)
      return 1
    }
  }
  console.log(`Everything passed, ${rounds} times in a row.`)
  return 0
}

async function vitest(
  given: string[],
  until: AbortSignal,
  show: boolean,
): Promise<{ code: number; found: Report; output: string }> {
  rmSync(report, { force: true })
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`]
  const { code, output } = await run('vitest', ['run', ...reporters, ...given], { show, until })
  const found = until.aborted ? { testResults: [] } : readReport()
  const took = found.testResults.map(({ name, startTime, endTime }) => [relative(root, name), endTime - startTime])
  writeFileSync(timesFile, JSON.stringify({ ...times(), ...(Object.fromEntries(took) as Times) }))
  return { code, found, output }
}

function readReport(): Report {
  try {
    return JSON.parse(readFileSync(report, 'utf8')) as Report
  } catch (error) {
    console.log(`vitest left no report: ${error instanceof Error ? error.message : String(error)}`)
    return { testResults: [] }
  }
}

/** Reads the durations of earlier runs; none before the first run. */
function times(): Times {
  try {
    return JSON.parse(readFileSync(timesFile, 'utf8')) as Times
  } catch {
    return {}
  }
}

function textsOfTests(): Map<string, string> {
  const paths = globSync('test/**/*.ts', { cwd: root, exclude: ['**/node_modules/**'] }).map((path) =>
    path.replaceAll('\\', '/'),
  )
  return new Map(paths.map((path) => [path, readFileSync(join(root, path), 'utf8')]))
}
