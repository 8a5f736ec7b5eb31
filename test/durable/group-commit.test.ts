import { expect, it } from 'vitest'
import { GroupCommit } from '../../src/durable/group-commit.ts'

/** A clock whose sleepers wake when it is set. */
function clock() {
  let now = 10_000
  const sleepers: { at: number; wake: () => void }[] = []
  return {
    now: () => now,
    sleep: (ms: number) => new Promise<void>((wake) => sleepers.push({ at: now + ms, wake })),
    set: (at: number) => {
      now = at
      for (const one of sleepers.filter((sleeper) => sleeper.at <= at)) one.wake()
    },
  }
}

it('the first caller is booked at once, and those of the next second together', async () => {
  const time = clock()
  const booked: number[][] = []
  const commit = new GroupCommit<number>((items) => booked.push(items), 1_000, time)
  await commit.add([1, 2])
  expect(booked).toEqual([[1, 2]])
  const [second, third] = [commit.add([3]), commit.add([4, 5])]
  time.set(10_999)
  expect(booked).toHaveLength(1)
  time.set(11_000)
  await Promise.all([second, third])
  expect(booked).toEqual([
    [1, 2],
    [3, 4, 5],
  ])
  time.set(20_000)
  await commit.add([6])
  expect(booked.at(-1)).toEqual([6])
})

it('a write that fails fails those who wait for it, and nobody later', async () => {
  const time = clock()
  let fails = true
  const booked: number[] = []
  const commit = new GroupCommit<number>(
    (items) => {
      if (fails) throw new Error('no space')
      booked.push(...items)
    },
    1_000,
    time,
  )
  await expect(commit.add([1])).rejects.toThrow('no space')
  fails = false
  const again = commit.add([1])
  time.set(11_000)
  await again
  expect(booked).toEqual([1])
})
