import pLimit from 'p-limit'
import { expect, it } from 'vitest'
import { inTurn } from '../../src/queue/probes.ts'
import type { Outcome } from '../../src/calls/lease.ts'

const lease = (k: number) => ({ id: `1.${k}.1`, k, sendBy: 5_000 })

/** A call that ends when it is told to. */
function held() {
  let end: () => void = () => {}
  let begun = false
  const gate = new Promise<void>((resolve) => {
    end = resolve
  })
  const outcome = { lease: '', k: 0, kind: 'not_sent', why: 'ended' } satisfies Outcome
  const call = async (): Promise<{ outcome: Outcome }> => {
    begun = true
    await gate
    return { outcome }
  }
  return { call, end: () => end(), hasBegun: () => begun }
}

it('a lease behind calls that take minutes is given back when its time has passed', async () => {
  const limit = pLimit(1)
  let pass: () => void = () => {}
  const slept: number[] = []
  const clock = {
    now: () => 1_000,
    sleep: (ms: number) => {
      slept.push(ms)
      return new Promise<void>((resolve) => {
        pass = resolve
      })
    },
  }
  const [slow, next] = [held(), held()]
  const first = inTurn(lease(1), limit, clock, slow.call)
  const second = inTurn(lease(2), limit, clock, next.call)
  pass()
  expect((await second).outcome).toMatchObject({ k: 2, lease: '1.2.1', kind: 'not_sent' })
  // The first one, which found a free connection, needed no timer.
  expect([slept, slow.hasBegun(), next.hasBegun()]).toEqual([[4_000], true, false])
  slow.end()
  await first
  await expect.poll(() => limit.activeCount).toBe(0)
  expect(next.hasBegun()).toBe(false)
})

it('a lease whose turn comes in time is sent, and its own end is its outcome', async () => {
  const limit = pLimit(1)
  const passes: (() => void)[] = []
  const clock = { now: () => 1_000, sleep: () => new Promise<void>((resolve) => passes.push(resolve)) }
  const [before, next] = [held(), held()]
  const first = inTurn(lease(1), limit, clock, before.call)
  const second = inTurn(lease(2), limit, clock, next.call)
  before.end()
  await first
  await expect.poll(next.hasBegun).toBe(true)
  for (const pass of passes) pass()
  next.end()
  expect((await second).outcome).toMatchObject({ why: 'ended' })
})
