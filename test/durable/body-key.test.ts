import { expect, it, vi } from 'vitest'
import { BodyKey } from '../../src/durable/body-key.ts'
import { newBodyKey, printOf } from '../../src/runtime/sealed-bytes.ts'

function keyed(fetch: (print: string | null) => Promise<string>) {
  const stored = { print: null as string | null }
  const key = new BodyKey(fetch, {
    load: () => stored.print,
    save: (print) => void (stored.print = print),
    clear: () => void (stored.print = null),
  })
  return { key, stored }
}

it('a key is asked for with the fingerprint of the one that sealed the rows', async () => {
  const one = newBodyKey()
  const fetch = vi.fn<(print: string | null) => Promise<string>>(() => Promise.resolve(one))
  const { key, stored } = keyed(fetch)
  await key.ready()
  expect([key.isHere, stored.print]).toEqual([true, printOf(one)])
  key.forget()
  expect(() => key.seal(new Uint8Array(), 'x')).toThrow('was not fetched')
  await key.ready()
  expect(fetch.mock.calls).toEqual([[null], [printOf(one)]])
})

it('a key that is replaced while it is asked for is never used', async () => {
  const [one, other] = [newBodyKey(), newBodyKey()]
  const asked: ((key: string) => void)[] = []
  const { key } = keyed(() => new Promise((resolve) => void asked.push(resolve)))
  const waits = key.ready()
  const forgotten = Promise.withResolvers<void>()
  const replaced = key.replace(() => forgotten.promise)
  asked[0]?.(one)
  await vi.waitFor(() => expect(key.isHere).toBe(false))
  forgotten.resolve()
  await vi.waitFor(() => expect(asked).toHaveLength(2))
  asked[1]?.(other)
  await Promise.all([waits, replaced])
  expect(key.key).toBe(other)
})

it('a replacement that fails leaves the next caller with the key that is valid then', async () => {
  const one = newBodyKey()
  const { key } = keyed(() => Promise.resolve(one))
  await key.ready()
  await expect(key.replace(() => Promise.reject(new Error('restarting')))).rejects.toThrow('restarting')
  expect(key.isHere).toBe(false)
  await key.ready()
  expect(key.key).toBe(one)
})
