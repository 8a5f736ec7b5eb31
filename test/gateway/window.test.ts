import { expect, it } from 'vitest'
import { NO_COUNTS } from '../../src/core/model/usage.ts'
import { readObservations, unpacked } from '../../src/gateway/observation.ts'
import type { ObservationMessage, Seen } from '../../src/gateway/observation.ts'
import { MOST_SEEN, ObservationWindow, WINDOW_MS } from '../../src/gateway/window.ts'

const seen = (n: number, more: Partial<Seen> = {}): Seen => ({
  account: 'acme',
  provider: 'p',
  startedAt: 1_000 + n,
  usage: { ...NO_COUNTS, inputTokens: 10, cacheReadTokens: 7, cacheWriteByRetention: { '1h': 3 } },
  ttftMs: n,
  ends: [{ entry: `eown-${n}`, far: true }, { entry: 'eshared' }],
  ...more,
})

/** As it comes out of the queue. */
const delivered = (message: ObservationMessage | null): ObservationMessage | null =>
  readObservations(JSON.parse(JSON.stringify(message)))

it('a message holds what was seen, each hash once', () => {
  const window = new ObservationWindow('iso')
  const given = [
    seen(1),
    seen(2, { ttftMs: null, usage: NO_COUNTS, ends: [], again: true, handle: 'cachedContents/a', routing: 'r' }),
    seen(3, { account: 'other', usage: { ...NO_COUNTS, summed: true } }),
    seen(4),
  ]
  expect(given.map((one) => window.add(one, 5, 5).opened)).toEqual([1, null, null, null])
  const message = delivered(window.close(1, 6))
  expect(message).toMatchObject({ v: 1, id: 'iso-1', at: 6 })
  expect(message?.groups.flatMap(unpacked)).toEqual([given[0], given[1], given[3], given[2]])
  expect(message?.groups[0]?.hashes).toEqual(['eown-1', 'eshared', 'eown-4'])
  expect(window.size).toBe(0)
})

it('a window is full at 200 observations, and whoever opened it then closes nothing', () => {
  const window = new ObservationWindow('iso')
  const added = Array.from({ length: MOST_SEEN + 1 }, (_, n) => window.add(seen(n), 0, 0))
  expect(added.map(({ full }) => full?.id ?? null).filter((id) => id !== null)).toEqual(['iso-1'])
  expect(added.map(({ opened }) => opened).filter((one) => one !== null)).toEqual([1, 2])
  expect(window.close(1, 0)).toBeNull()
  expect(window.close(2, 0)?.groups[0]?.calls).toHaveLength(1)
  expect(window.close(2, 0)).toBeNull()
})

it('no message is longer than the queue takes, with as many hashes as calls can have', () => {
  const window = new ObservationWindow('iso')
  const long = (n: number): Seen =>
    seen(n, { ends: Array.from({ length: 40 }, (_, end) => ({ entry: `e${`${n}-${end}`.padStart(22, '0')}` })) })
  const messages = Array.from({ length: 500 }, (_, n) => window.add(long(n), 0, 0).full).filter((one) => one !== null)
  expect(messages.length).toBeGreaterThan(3)
  for (const message of messages) expect(JSON.stringify(message).length).toBeLessThan(128_000)
})

it('a window whose request is gone is sent with the next observation', () => {
  const window = new ObservationWindow('iso')
  window.add(seen(1), 0, 0)
  expect(window.add(seen(2), 0, 2 * WINDOW_MS - 1).full).toBeNull()
  expect(window.add(seen(3), 0, 2 * WINDOW_MS).full?.groups[0]?.calls).toHaveLength(3)
})

it('what is no message is not read', () => {
  for (const body of [null, 'x', {}, { v: 2, id: 'a', at: 1, groups: [] }, { v: 1, id: 'a', at: 1 }])
    expect(readObservations(body)).toBeNull()
})
