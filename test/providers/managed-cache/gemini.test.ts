import type { CachedContent, CreateCachedContentConfig } from '@google/genai'
import { describe, expect, it } from 'vitest'
import { readFailure } from '../../../src/contract/failure.ts'
import { geminiManagedCaches } from '../../../src/providers/managed-cache/gemini.ts'
import { withoutManagedCaches } from '../../../src/providers/managed-cache/unsupported.ts'
import { cards } from '../../../src/providers/registry.ts'
import { createTransport } from '../../../src/providers/transport/send.ts'
import { HOUR_MS } from '../../../src/core/time/time.ts'

const CONTENTS = `{ "systemInstruction" : {"parts":[{"text":"Ünder\\u0020the lamp"}]},"contents":[], "x": 1.0 }`

function refused(work: () => unknown): unknown {
  try {
    work()
  } catch (thrown) {
    return readFailure(thrown)?.detail?.['field']
  }
  return 'nothing'
}

describe('requests about managed caches', () => {
  const prepared = geminiManagedCaches.prepare(CONTENTS, 'models/gemini-3.8-flash')

  it('a creation keeps every byte of the contents', () => {
    const { method, path, body } = geminiManagedCaches.create(prepared, 'pilotlight:dep_1:00', 90_500)
    expect([method, path]).toEqual(['POST', '/v1beta/cachedContents'])
    expect(body.startsWith(CONTENTS.slice(0, CONTENTS.lastIndexOf('1.0') + 3))).toBe(true)
    const sent = JSON.parse(body) as CreateCachedContentConfig & { model: string }
    expect(sent).toMatchObject({ model: 'models/gemini-3.8-flash', displayName: 'pilotlight:dep_1:00', ttl: '90s' })
  })

  it('a renewal changes the expiry and nothing else', () => {
    expect(geminiManagedCaches.renew('cachedContents/a-1', HOUR_MS)).toEqual({
      method: 'PATCH',
      path: '/v1beta/cachedContents/a-1?updateMask=ttl',
      body: '{"ttl":"3600s"}',
    })
  })

  it('an invalid name never becomes a path', () => {
    for (const name of [
      '',
      'cachedContents/',
      'cachedContents/a/b',
      'cachedContents/../models',
      'cachedContents/a?x',
      'models/a',
    ])
      expect(() => geminiManagedCaches.get(name)).toThrow('not the name of a handle')
  })

  it.each([
    ['model', `{"contents":[{"parts":[]}],"model":"../x"}`, 'request.model'],
    ['models that differ', `{"contents":[{"parts":[]}],"model":"gemini-a"}`, 'model'],
    ['a handle inside', `{"cached_content":"cachedContents/a","model":"gemini-3.8-flash"}`, 'request.cached_content'],
    ['contents that are no list', `{"contents":{},"model":"gemini-3.8-flash"}`, 'request.contents'],
    ['nothing', `{"model":"gemini-3.8-flash"}`, 'request'],
  ])('names the field of a wrong %s', (_, text, field) => {
    expect(refused(() => geminiManagedCaches.prepare(text, 'gemini-3.8-flash'))).toBe(field)
  })

  it('contents are equal in both spellings, and differ in what the provider compares', () => {
    const of = (text: string): string => geminiManagedCaches.prepare(text, 'gemini-3.8-flash').canonical
    expect(of('{"system_instruction":{"parts":[{"text":"a"}]}}')).toBe(
      of('{ "systemInstruction":{"parts":[ {"text":"\\u0061"}]}}'),
    )
    expect(of('{"systemInstruction":{"parts":[{"text":"a"}]}}')).not.toBe(of('{"contents":[{"parts":[{"text":"a"}]}]}'))
  })
})

describe('answers about managed caches', () => {
  const resource = {
    name: 'cachedContents/abc',
    model: 'models/gemini-3.8-flash',
    displayName: 'x',
    createTime: '2026-11-21T12:00:00.123456Z',
    updateTime: '2026-11-21T12:00:00Z',
    expireTime: '2026-11-21T13:00:00Z',
    usageMetadata: { totalTokenCount: 4_321 },
  } satisfies CachedContent

  it('are read', () => {
    expect(geminiManagedCaches.read(JSON.stringify(resource))).toMatchObject({
      name: 'cachedContents/abc',
      model: 'gemini-3.8-flash',
      tokens: 4_321,
      expiresAt: Date.UTC(2026, 10, 21, 13),
    })
    expect(geminiManagedCaches.read(JSON.stringify({ ...resource, usageMetadata: {} })).tokens).toBeNull()
  })

  it('an empty list has no members', () => {
    expect(geminiManagedCaches.readList('{}')).toEqual({ caches: [], nextPageToken: null })
    const page = geminiManagedCaches.readList(JSON.stringify({ cachedContents: [resource], nextPageToken: 'a b' }))
    expect([page.caches.length, page.nextPageToken]).toEqual([1, 'a b'])
    expect(geminiManagedCaches.list('a b').path).toContain('pageToken=a%20b')
  })

  it.each(['', '<html>', '[]', '{"name":"cachedContents/a"}', '{"name":"x","expireTime":"2026-11-21T13:00:00Z"}'])(
    'are unreadable when they are %j',
    (text) => {
      expect(() => geminiManagedCaches.read(text)).toThrow('cannot be read')
    },
  )

  const error = (code: number, status: string, message: string): string =>
    JSON.stringify({ error: { code, status, message } })
  it.each([
    [403, error(403, 'PERMISSION_DENIED', 'CachedContent not found (or permission denied)'), true, 'provider_rejected'],
    [404, error(404, 'NOT_FOUND', 'Requested entity was not found.'), true, 'provider_rejected'],
    [404, error(404, 'NOT_FOUND', 'models/x is not found for API version v1beta'), false, 'provider_rejected'],
    [
      403,
      error(403, 'PERMISSION_DENIED', 'Generative Language API has not been used in project 1'),
      false,
      'provider_key_refused',
    ],
    [
      400,
      error(400, 'INVALID_ARGUMENT', 'Cached content is too small. total_token_count=12, min_total_token_count=1024'),
      false,
      'prefix_too_short',
    ],
    [
      429,
      error(429, 'RESOURCE_EXHAUSTED', 'TotalCachedContentStorageTokensPerModelFreeTier limit exceeded'),
      false,
      'provider_limited',
    ],
    [503, '<html>', false, 'provider_unavailable'],
  ])('%i %s is gone: %s, as %s', (status, text, gone, kind) => {
    const reading = geminiManagedCaches.readError(status, new Headers(), text)
    expect([reading.gone, reading.failure.kind]).toEqual([gone, kind])
    expect(JSON.stringify(reading.failure)).not.toContain('project 1')
  })

  it('names the minimum for contents that are too small', () => {
    const text = error(
      400,
      'INVALID_ARGUMENT',
      'Cached content is too small. total_token_count=12, min_total_token_count=1024',
    )
    expect(geminiManagedCaches.readError(400, new Headers(), text).failure.detail).toMatchObject({
      tokens: 12,
      minimum_tokens: 1_024,
    })
  })

  it('the free tier is a permanent failure', () => {
    const text = error(429, 'RESOURCE_EXHAUSTED', 'TotalCachedContentStorageTokensPerModelFreeTier limit exceeded')
    expect(geminiManagedCaches.readError(429, new Headers(), text).permanent).toBe(true)
  })
})

describe('what is known', () => {
  it('only Google has managed caches, and every other provider is refused', () => {
    expect(cards.filter((card) => card.managedCaches !== undefined).map(({ id }) => id)).toEqual(['gemini', 'vertex'])
    for (const card of cards) {
      if (card.managedCaches === undefined) expect(withoutManagedCaches(card).kind).toBe('unsupported')
    }
  })

  it('the price of storage is dated, and unknown where none is published', () => {
    expect(geminiManagedCaches.storageRates('gemini-3.8-flash')).toEqual([
      { fromAt: Date.UTC(2026, 10, 21), nanosPerMTokHour: 500_000_000 },
      { fromAt: Date.UTC(2027, 0, 1), nanosPerMTokHour: 1_000_000_000 },
    ])
    expect(geminiManagedCaches.storageRates('gemini-2.5-pro')[0]?.nanosPerMTokHour).toBe(4_500_000_000)
    expect(geminiManagedCaches.storageRates('gemini-2.5-flash-lite')).toEqual([])
  })
})

describe('the transport', () => {
  it('sends the method of a request, and a body only where there is one', async () => {
    const seen: [string, string][] = []
    const transport = createTransport({
      fetch: async (input, init) => {
        const request = new Request(input, init)
        seen.push([`${request.method} ${request.url}`, await request.text()])
        return new Response('{}')
      },
    })
    const card = cards.find(({ id }) => id === 'gemini')
    if (card === undefined) throw new Error('there is no such card')
    for (const request of [
      geminiManagedCaches.get('cachedContents/a'),
      geminiManagedCaches.renew('cachedContents/a', 60_000),
      geminiManagedCaches.remove('cachedContents/a'),
    ])
      await transport.send({ card, baseUrl: 'https://provider.test', credential: 'k', request, timeoutMs: 1_000 })
    expect(seen).toEqual([
      ['GET https://provider.test/v1beta/cachedContents/a', ''],
      ['PATCH https://provider.test/v1beta/cachedContents/a?updateMask=ttl', '{"ttl":"60s"}'],
      ['DELETE https://provider.test/v1beta/cachedContents/a', ''],
    ])
  })
})
