import { expect, it } from 'vitest'
import { upstreamAfter } from '../../../../src/core/cache/alarms/upstream.ts'
import type { Upstream } from '../../../../src/core/prefix/parts.ts'

function told(names: readonly string[]): Upstream | undefined {
  return names.reduce<Upstream | undefined>((known, name, index) => upstreamAfter(known, name, index + 1), undefined)
}
const times = (count: number, ...names: string[]): string[] => Array.from({ length: count }, () => names).flat()

it('five answers in a row of another upstream are a flip, since the first of them', () => {
  expect(told([...times(20, 'Alpha'), ...times(4, 'Beta')])?.flip).toBeUndefined()
  const flipped = told([...times(20, 'Alpha'), ...times(5, 'Beta')])
  expect(flipped).toMatchObject({ name: 'Alpha', flip: { at: 25, sinceAt: 21, to: 'Beta', requests: 5 } })
})

it('an upstream is the usual one from fifteen answers on', () => {
  expect(told([...times(14, 'Alpha'), ...times(5, 'Beta')])?.flip).toBeUndefined()
  expect(told([...times(15, 'Alpha'), ...times(5, 'Beta')])?.flip).toMatchObject({ to: 'Beta' })
})

it('the former one ends it, and so does the other one in time', () => {
  const before = [...times(20, 'Alpha'), ...times(6, 'Beta')]
  expect(told([...before, 'Alpha'])?.flip).toBeUndefined()
  expect(told([...before, ...times(200, 'Beta')])).toMatchObject({ name: 'Beta', others: 0 })
  expect(told([...before, ...times(200, 'Beta')])?.flip).toBeUndefined()
})

it('a router that spreads requests, or has just begun, never flips', () => {
  for (const names of [
    times(60, 'Alpha', 'Beta'),
    times(30, 'Alpha', 'Alpha', 'Beta'),
    [...times(5, 'Alpha'), ...times(30, 'Beta')],
  ])
    expect(told(names)?.flip).toBeUndefined()
})
