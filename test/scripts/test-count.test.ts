import { expect, it } from 'vitest'
import { count } from '../../scripts/test-count.ts'

it('counts tests over all files', () => {
  const file = (status: string, ...tests: string[]) => ({
    status,
    assertionResults: tests.map((one) => ({ status: one })),
  })
  expect(count({ testResults: [file('passed', 'passed', 'skipped'), file('failed', 'passed', 'failed')] })).toEqual({
    passed: 2,
    failed: 1,
    skipped: 1,
  })
})

it('counts a file that could not even be read as a failure', () => {
  expect(count({ testResults: [{ status: 'failed', assertionResults: [] }] })).toMatchObject({ passed: 0, failed: 1 })
})
