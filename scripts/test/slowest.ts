/** Lists the slowest files at the end of a run. */
import { relative } from 'node:path'
import { spell } from '../terminal.ts'

const shown = 10

/** Files of vitest's JSON report: start of the first test and end of the last one, in epoch milliseconds. */
export interface TimedReport {
  testResults: { name: string; startTime: number; endTime: number }[]
}

/** Returns a line for each of the slowest files, slowest first. Times are those of the tests, without the import of the file. */
export function slowest(report: TimedReport, root: string, most = shown): string[] {
  return report.testResults
    .map(({ name, startTime, endTime }) => ({ name, tookMs: endTime - startTime }))
    .sort((a, b) => b.tookMs - a.tookMs)
    .slice(0, most)
    .map(({ name, tookMs }) => `${spell(tookMs).padStart(12)}  ${relative(root, name).replaceAll('\\', '/')}`)
}
