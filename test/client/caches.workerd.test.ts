import { exports } from 'cloudflare:workers'
import { describe, expect, it } from 'vitest'
import {
  connect,
  createCache,
  deleteCache,
  getCache,
  isKind,
  listCaches,
  supportsCaches,
  updateCache,
} from '../../src/client/index.ts'
import { cacheAnswer, cacheMade } from '../../src/contract/caches.ts'
import { longText, newAccount, useLab } from '../http/support.ts'

useLab()

const connection = (key = 'pilotlight-dev') =>
  connect({
    baseUrl: 'http://pilotlight.test/',
    key,
    fetch: (input, init) => exports.default.fetch(new Request(input, init)),
  })
const creation = () => ({ provider: 'gemini', model: 'gemini-3.8-flash', system: longText(), ttl: '10m' })

describe('managed caches in the client', () => {
  it('are created, read, renewed, listed and deleted', async () => {
    const { key } = await newAccount()
    const own = connection(key)
    const made = await createCache(own, creation())
    expect(cacheMade.parse(made)).toMatchObject({ created: true, state: 'live', ttl: '10m' })
    expect(cacheAnswer.parse(await getCache(own, made.id)).handle).toBe(made.handle)
    expect(await updateCache(own, made.id, { ttl: '2h' })).toMatchObject({ handle: made.handle, ttl: '2h' })
    expect((await listCaches(own, { provider: 'gemini' })).map(({ id }) => id)).toEqual([made.id])
    expect(await deleteCache(own, made.id)).toEqual({ id: made.id, deleted: true, at_provider: 'deleted' })
    expect(await listCaches(own)).toEqual([])
  })

  it('lists page after page', async () => {
    const { key } = await newAccount()
    const own = connection(key)
    const made = await Promise.all([createCache(own, creation()), createCache(own, creation())])
    const pages: string[] = []
    const counting = {
      ...own,
      fetch: (input: string, init?: RequestInit) => {
        pages.push(input)
        return own.fetch(input.replace('limit=200', 'limit=1'), init)
      },
    }
    const listed = await listCaches(counting)
    expect(listed.map(({ id }) => id).toSorted()).toEqual(made.map(({ id }) => id).toSorted())
    expect(pages.length).toBeGreaterThan(1)
  })

  it('know where there are any, and are unsupported elsewhere', async () => {
    expect(await supportsCaches(connection(), 'gemini')).toBe(true)
    expect(await supportsCaches(connection(), 'anthropic')).toBe(false)
    expect(await listCaches(connection(), { provider: 'anthropic' })).toEqual([])
    const refused = await createCache(connection(), { ...creation(), provider: 'anthropic' }).catch(
      (thrown: unknown) => thrown,
    )
    expect(isKind(refused, 'unsupported')).toBe(true)
  })
})
