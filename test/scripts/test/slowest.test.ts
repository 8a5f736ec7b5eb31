import { expect, it } from 'vitest'
import { slowest } from '../../../scripts/test/slowest.ts'

const file = (name: string, tookMs: number) => ({ name: `/project/${name}`, startTime: 1000, endTime: 1000 + tookMs })

it('the slowest files come first, with the time of their tests, at most as many as asked for', () => {
  const report = { testResults: [file('a.test.ts', 900), file('test/b.test.ts', 200_000), file('c.test.ts', 12_000)] }
  expect(slowest(report, '/project', 2).map((line) => line.trim())).toEqual([
    '3 min 20 s  test/b.test.ts',
    '12 s  c.test.ts',
  ])
})
