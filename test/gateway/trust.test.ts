import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { Failure } from '../../src/contract/failure.ts'
import { forgetTrusted, FRESH_MS, PATIENCE_MS, STALE_MS, trusted } from '../../src/gateway/trust.ts'
import { clockFrom } from '../../src/runtime/clock.ts'

const clock = clockFrom({})
const good = () => Promise.resolve('acme')
const down = () => Promise.reject(new Error('the object is overloaded'))
const revoked = () => Promise.reject(new Failure('unauthenticated', 'The key was revoked.'))

beforeEach(() => vi.useFakeTimers({ now: 1_000_000_000_000 }))
afterEach(() => {
  forgetTrusted('acme')
  vi.useRealTimers()
})

const ask = (verify: () => Promise<string>) => trusted('hash', clock, verify)

describe('a verified key', () => {
  test('is asked for once within its fresh time, and again after it', async () => {
    const verify = vi.fn<typeof good>(good)
    expect(await ask(verify)).toEqual({ account: 'acme', stale: false })
    vi.advanceTimersByTime(FRESH_MS - 1)
    await ask(verify)
    expect(verify).toHaveBeenCalledTimes(1)
    vi.advanceTimersByTime(1)
    await ask(verify)
    expect(verify).toHaveBeenCalledTimes(2)
  })

  test('is taken as stale for ten minutes when the account is down, and not longer', async () => {
    await ask(good)
    vi.advanceTimersByTime(STALE_MS - 1)
    expect(await ask(down)).toEqual({ account: 'acme', stale: true })
    vi.advanceTimersByTime(1)
    await expect(ask(down)).rejects.toThrow('overloaded')
  })

  test('is taken as stale when the account is slow, and waits no longer than the patience', async () => {
    await ask(good)
    vi.advanceTimersByTime(FRESH_MS)
    const asked = ask(() => new Promise(() => {}))
    await vi.advanceTimersByTimeAsync(PATIENCE_MS)
    expect(await asked).toEqual({ account: 'acme', stale: true })
  })

  test('is refused at once when the account refuses it, and is not stale afterwards', async () => {
    await ask(good)
    vi.advanceTimersByTime(FRESH_MS)
    await expect(ask(revoked)).rejects.toThrow('revoked')
    await expect(ask(down)).rejects.toThrow('overloaded')
  })

  test('that nobody ever verified waits for its account', async () => {
    await expect(ask(down)).rejects.toThrow('overloaded')
    let answer: (account: string) => void = () => {}
    const asked = ask(() => new Promise((resolve) => (answer = resolve)))
    await vi.advanceTimersByTimeAsync(10 * PATIENCE_MS)
    answer('acme')
    expect(await asked).toEqual({ account: 'acme', stale: false })
  })

  test('is forgotten with its account', async () => {
    await ask(good)
    forgetTrusted('acme')
    await expect(ask(down)).rejects.toThrow('overloaded')
  })
})
