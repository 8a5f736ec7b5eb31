import { expect, it } from 'vitest'
import { inOrder, projects } from '../../../scripts/test/order.ts'
import config from '../../../vitest.config.ts'

it('keeps the files of a project together and in the order they had, whole products first', () => {
  const files = ['node b', 'e2e b', 'workerd a', 'node a', 'e2e a']
  expect(inOrder(files, (file) => file.split(' ')[0] ?? '')).toEqual([
    'e2e b',
    'e2e a',
    'workerd a',
    'node b',
    'node a',
  ])
})

it('has a place for every project', () => {
  const configured = (config.test?.projects ?? []) as { test: { name: string } }[]
  expect(configured.map(({ test }) => test.name).sort()).toEqual([...projects].sort())
})
