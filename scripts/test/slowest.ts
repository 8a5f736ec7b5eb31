/** The files that took longest, for the end of a run. */
import { relative } from 'node:path'
import { spell } from '../terminal.ts'

const shown = 10

/** What vitest's JSON report says of files: when the first test of each began and its last one ended, in milliseconds. */
export interface TimedReport {
  testResults: { name: string; startTime: number; endTime: number }[]
}

/** One line for each of the slowest files, slowest first. Times are those of the tests, without reading the file. */
export function slowest(report: TimedReport, root: string, most = shown): string[] {
  return report.testResults
    .map(({ name, startTime, endTime }) => ({ name, tookMs: endTime - startTime }))
    .sort((a, b) => b.tookMs - a.tookMs)
    .slice(0, most)
    .map(({ name, tookMs }) => `${spell(tookMs).padStart(12)}  ${relative(root, name).replaceAll('\\', '/')}`)
}
