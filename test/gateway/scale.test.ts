/** Ten thousand calls a second of one hot prefix: what the queue and its Registry get, with the real windows in virtual time. */
import { expect, it } from 'vitest'
import { NO_COUNTS } from '../../src/core/model/usage.ts'
import { GroupCommit } from '../../src/durable/group-commit.ts'
import type { ObservationMessage } from '../../src/gateway/observation.ts'
import { ObservationWindow, WINDOW_MS } from '../../src/gateway/window.ts'

const RATE = 10_000
const SECONDS = 30
/** The queue hands on what it has, at most a hundred messages at once, after a second. */
const BATCH = 100

/** Runs timers in virtual time, in their order. */
function virtualTime() {
  let now = 0
  let order = 0
  const timers: { at: number; order: number; run: () => void }[] = []
  const after = (ms: number, run: () => void): void => {
    timers.push({ at: now + ms, order: order++, run })
  }
  const play = async (until: number): Promise<void> => {
    for (;;) {
      timers.sort((a, b) => b.at - a.at || b.order - a.order)
      const next = timers.at(-1)
      if (next === undefined || next.at > until) return
      timers.pop()
      now = next.at
      next.run()
      await Promise.resolve()
      await Promise.resolve()
    }
  }
  return { now: () => now, after, play, sleep: (ms: number) => new Promise<void>((resolve) => after(ms, resolve)) }
}

interface Played {
  messages: number
  calls: number
  writes: number
  largestBytes: number
  /** Calls that wait in an isolate, looked at ten times a second. */
  lost: { mean: number; most: number }
}

async function played(isolates: number): Promise<Played> {
  const time = virtualTime()
  const sent: ObservationMessage[] = []
  const writes: number[] = []
  const booked: ObservationMessage[] = []
  const registry = new GroupCommit<ObservationMessage>(
    (given) => {
      writes.push(time.now())
      booked.push(...given)
    },
    1_000,
    time,
  )
  const backlog: ObservationMessage[] = []
  const send = (message: ObservationMessage): void => {
    sent.push(message)
    backlog.push(message)
  }
  const windows = Array.from({ length: isolates }, (_, index) => new ObservationWindow(`i${index}`))
  const call = (index: number, n: number): void => {
    const window = windows[index]
    if (window === undefined) return
    const { full, opened } = window.add(
      {
        account: 'hot',
        provider: 'p',
        startedAt: n,
        usage: {
          ...NO_COUNTS,
          inputTokens: 10_000 + n,
          cacheReadTokens: 9_000,
          cacheWriteTokens: 0,
          outputTokens: 200,
        },
        ttftMs: 400,
        // Each call has turns of its own behind what all share.
        ends: [
          ...Array.from({ length: 4 }, (_, end) => `e${`${n}-${end}`.padEnd(22, 'x')}`),
          'e'.padEnd(23, 'shared'),
        ].map((entry) => ({ entry })),
      },
      time.now(),
      time.now(),
    )
    if (full !== null) send(full)
    if (opened === null) return
    time.after(WINDOW_MS, () => {
      const message = window.close(opened, time.now())
      if (message !== null) send(message)
    })
  }
  let n = 0
  // Calls of a tenth of a second come together, at isolates in turn and shuffled.
  for (let at = 0; at < SECONDS * 1_000; at += 100) {
    time.after(at, () => {
      for (let one = 0; one < RATE / 10; one++) call((n * 7_919) % isolates, n++)
    })
  }
  const consume = (): void => {
    while (backlog.length > 0) void registry.add(backlog.splice(0, BATCH))
    time.after(1_000, consume)
  }
  time.after(1_000, consume)
  let [looks, sum, most] = [0, 0, 0]
  const look = (): void => {
    for (const { size } of time.now() > WINDOW_MS ? windows : []) {
      looks++
      sum += size
      most = Math.max(most, size)
    }
    time.after(100, look)
  }
  time.after(50, look)
  await time.play(SECONDS * 1_000 - 1)
  const perSecond = (instants: readonly number[]): number =>
    Math.max(
      ...Array.from(
        { length: SECONDS },
        (_, second) => instants.filter((at) => Math.floor(at / 1_000) === second).length,
      ),
    )
  return {
    messages: sent.length / SECONDS,
    calls: booked.reduce((all, { groups }) => all + (groups[0]?.calls.length ?? 0), 0),
    writes: perSecond(writes),
    largestBytes: Math.max(...sent.map((message) => JSON.stringify(message).length)),
    lost: { mean: sum / looks, most },
  }
}

it.each([100, 1_000])('%i isolates keep within the queue and the Registry', async (isolates) => {
  const { messages, calls, writes, largestBytes, lost } = await played(isolates)
  const { mean, most } = lost
  console.log(
    `${isolates} isolates: ${messages.toFixed(0)} messages a second, the largest ${(largestBytes / 1_000).toFixed(0)} kB; ` +
      `${writes} write a second; an isolate that vanishes loses ${mean.toFixed(0)} calls, ${most} at most, ` +
      `of ${RATE} a second: ${((100 * mean) / RATE).toFixed(2)} % of one second`,
  )
  expect(messages).toBeLessThanOrEqual(Math.max(RATE / 200, isolates / 5))
  expect(writes).toBe(1)
  expect(largestBytes).toBeLessThan(128_000)
  expect(most).toBeLessThan(200)
  // All but what is in windows or on its way.
  expect(calls).toBeGreaterThan(RATE * (SECONDS - WINDOW_MS / 1_000 - 3))
})
