/** Counted part of vitest's JSON report. */
export interface VitestReport {
  testResults: { status: string; assertionResults: { status: string }[] }[]
}

/** Counts tests. A file that failed before its tests were known (a broken import) counts as one failure. */
export function count(report: VitestReport): { passed: number; failed: number; skipped: number } {
  const totals = { passed: 0, failed: 0, skipped: 0 }
  for (const file of report.testResults) {
    const failedBefore = totals.failed
    for (const { status } of file.assertionResults) {
      if (status === 'passed') totals.passed++
      else if (status === 'failed') totals.failed++
      else totals.skipped++
    }
    if (file.status === 'failed' && totals.failed === failedBefore) totals.failed++
  }
  return totals
}
