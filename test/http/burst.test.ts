import { expect, it } from 'vitest'
import { joinBurst } from '../../src/http/burst.ts'

it('lets callers who overlap ask as of the first of them, in a chain', () => {
  const first = joinBurst('a', 100, 1_000)
  const second = joinBurst('a', 150, 1_000)
  first.leave()
  const third = joinBurst('a', 300, 1_000) // overlaps with the second only
  expect([first, second, third].map(({ askedAt }) => askedAt)).toEqual([100, 100, 100])
  second.leave()
  third.leave()
})

it('begins anew once everyone was answered, for other content, and after its longest time', () => {
  const first = joinBurst('b', 100, 1_000)
  expect(joinBurst('c', 120, 1_000).askedAt).toBe(120)
  first.leave()
  expect(joinBurst('b', 130, 1_000).askedAt).toBe(130) // and hangs up without leaving
  expect(joinBurst('b', 1_130, 1_000).askedAt).toBe(130)
  const late = joinBurst('b', 1_131, 1_000)
  expect(late.askedAt).toBe(1_131)
  late.leave()
  expect(joinBurst('b', 1_200, 1_000).askedAt).toBe(1_200)
})
