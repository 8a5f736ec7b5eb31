import { expect, it } from 'vitest'
import { joinBurst } from '../../../src/http/warm/burst.ts'

const limits = { longestMs: 1_000, lingerMs: 50 }

it('a chain of callers that overlap asks as of the first of them', () => {
  const first = joinBurst('a', 100, limits)
  const second = joinBurst('a', 150, limits)
  first.leave(200)
  const third = joinBurst('a', 300, limits) // overlaps with the second only
  expect([first, second, third].map(({ askedAt }) => askedAt)).toEqual([100, 100, 100])
})

it('a caller who asks again after an answer begins a new burst', () => {
  joinBurst('b', 100, limits).leave(110)
  expect(joinBurst('b', 110, limits).askedAt).toBe(110)
  expect(joinBurst('c', 110, limits).askedAt).toBe(110)
})

it('a burst of several callers stays open for its linger time', () => {
  const crowd = [joinBurst('d', 100, limits), joinBurst('d', 101, limits)]
  for (const one of crowd) one.leave(200)
  const straggler = joinBurst('d', 250, limits)
  expect(straggler.askedAt).toBe(100)
  straggler.leave(260)
  expect(joinBurst('d', 311, limits).askedAt).toBe(311)
})

it('a burst ends after its longest time, even if a caller never left', () => {
  joinBurst('e', 100, limits)
  expect(joinBurst('e', 1_100, limits).askedAt).toBe(100)
  expect(joinBurst('e', 1_101, limits).askedAt).toBe(1_101)
})
