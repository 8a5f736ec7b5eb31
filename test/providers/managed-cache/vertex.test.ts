import { describe, expect, it } from 'vitest'
import { cardById } from '../../../src/providers/registry.ts'
import { vertexManagedCaches } from '../../../src/providers/managed-cache/vertex.ts'

const BASE = 'https://eu-west4-aiplatform.googleapis.com/v1/projects/shop-1/locations/eu-west4'
const NAME = 'projects/334279572487/locations/eu-west4/cachedContents/1977495851810947072'
const CONTENTS = '{"contents":[{"role":"user","parts":[{"text":"A catalogue of lamps."}]}]}'

function error(status: number, message: string) {
  const text = JSON.stringify({ error: { code: status, message, status: 'SOME' } })
  return vertexManagedCaches.readError(status, new Headers(), text)
}

describe('requests', () => {
  it('use the project and the location, not the publisher', () => {
    expect(vertexManagedCaches.baseOf(`${BASE}/publishers/google`)).toBe(BASE)
    expect(() => vertexManagedCaches.baseOf('https://proxy.test/v1')).toThrow('publishers/google')
    expect(vertexManagedCaches.list(null).path).toBe('/cachedContents?pageSize=100')
  })

  it('name the model by its whole resource, and keep the contents byte for byte', () => {
    const prepared = vertexManagedCaches.prepare(CONTENTS, 'gemini-2.5-pro')
    const { method, path, body } = vertexManagedCaches.create(prepared, 'mark', 90_500, `${BASE}/publishers/google`)
    expect([method, path]).toEqual(['POST', '/cachedContents'])
    expect(JSON.parse(body)).toEqual({
      ...JSON.parse(CONTENTS),
      model: 'projects/shop-1/locations/eu-west4/publishers/google/models/gemini-2.5-pro',
      displayName: 'mark',
      ttl: '90s',
    })
    expect(body).toContain(CONTENTS.slice(1, -1))
  })

  it('use the configured project and location, whatever the name contains', () => {
    const path = '/cachedContents/1977495851810947072'
    expect(vertexManagedCaches.get(NAME)).toEqual({ method: 'GET', path, body: '' })
    expect(vertexManagedCaches.remove(NAME)).toEqual({ method: 'DELETE', path, body: '' })
    expect(vertexManagedCaches.renew(NAME, 60_000)).toEqual({
      method: 'PATCH',
      path: `${path}?updateMask=ttl`,
      body: '{"ttl":"60s"}',
    })
  })

  it.each([
    'cachedContents/1',
    `${NAME}/..`,
    'projects/1/locations/x/cachedContents/../y',
    'projects/1/cachedContents/2',
    '',
  ])('are refused for an invalid name: %j', (name) => {
    expect(() => vertexManagedCaches.get(name)).toThrow('not the name of a handle')
  })
})

describe('answers', () => {
  const resource = {
    name: NAME,
    model: 'projects/shop-1/locations/eu-west4/publishers/google/models/gemini-2.5-pro',
    displayName: 'mark',
    createTime: '2026-11-21T10:00:00Z',
    expireTime: '2026-11-21T11:00:00Z',
    usageMetadata: { totalTokenCount: 4_242 },
  }

  it('are read with the whole name and the plain model', () => {
    const seen = vertexManagedCaches.read(JSON.stringify(resource))
    expect(seen).toMatchObject({ name: NAME, model: 'gemini-2.5-pro', tokens: 4_242, displayName: 'mark' })
    const { caches } = vertexManagedCaches.readList(JSON.stringify({ cachedContents: [resource] }))
    expect(caches).toEqual([seen])
    expect(() => vertexManagedCaches.read(JSON.stringify({ ...resource, name: 'cachedContents/a' }))).toThrow(
      'cannot be read',
    )
  })

  it.each([
    ['Not found: cached content metadata for 7352260532100923392.', 404, true],
    ['Cache content 7352260532100923392 is expired.', 400, true],
    ['Publisher Model `projects/p/locations/l/publishers/google/models/m` was not found.', 404, false],
    ["Permission 'aiplatform.cachedContents.get' denied on resource '//aiplatform.googleapis.com/x'.", 403, false],
    ['Request had invalid authentication credentials.', 401, false],
  ])('say whether a cache is gone: %s', (message, status, gone) => {
    expect(error(status, message).gone).toBe(gone)
  })

  it('about a missing permission are permanent, so no cache is created again', () => {
    const reading = error(403, "Permission 'aiplatform.cachedContents.create' denied on resource '//x'.")
    expect(reading).toMatchObject({ permanent: true, failure: { kind: 'provider_key_refused' } })
    expect(reading.failure.message).not.toContain('aiplatform.')
  })

  it('about contents that are too small name the provider’s minimum', () => {
    const { failure } = error(400, 'Cached content is too small. total_token_count=12, min_total_token_count=2048')
    expect(failure).toMatchObject({ kind: 'prefix_too_short', detail: { minimum_tokens: 2_048 } })
  })
})

it('the Vertex card uses this dialect', () => {
  expect(cardById('vertex')?.managedCaches).toBe(vertexManagedCaches)
})
