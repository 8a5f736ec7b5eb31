import { afterEach, expect, it, vi } from 'vitest'
import type { ManagedCacheLease } from '../../src/calls/lease.ts'
import { runManagedCacheLease } from '../../src/calls/managed-cache.ts'
import { clockFrom } from '../../src/runtime/clock.ts'
import type { Environment } from '../../src/runtime/env.ts'
import { NOON } from '../support/sample.ts'
import { spanRecorder } from '../support/spans.ts'

afterEach(() => {
  vi.restoreAllMocks()
})

const env = {
  ENVIRONMENT: 'production',
  VERTEX_PROJECT: 'shop-12345',
  VERTEX_LOCATION: 'us-central1',
  VERTEX_ACCESS_TOKEN: 'ya29.a-token',
  DIRECTORY: { getByName: () => ({ answer: async () => ({ value: { on: false, version: 1 } }) }) },
} as unknown as Environment

const renewal = (change: Partial<ManagedCacheLease>): ManagedCacheLease => ({
  id: 'h1.1',
  target: { of: 'handle', k: 1 },
  op: 'renew',
  provider: 'vertex',
  model: 'gemini-3.8-flash',
  fingerprint: 'f',
  name: 'projects/1/locations/europe-west4/cachedContents/12',
  ttlMs: 3_600_000,
  sendBy: Number.MAX_SAFE_INTEGER,
  timeoutMs: 5_000,
  expiresAt: Number.MAX_SAFE_INTEGER,
  reservedNanos: 0,
  why: '',
  ...change,
})

it('a call about a managed cache goes to its own location, and is a span that names none of it', async () => {
  const hosts: string[] = []
  vi.spyOn(globalThis, 'fetch').mockImplementation(async (input) => {
    const { host, pathname } = new URL(String(input instanceof Request ? input.url : input))
    hosts.push(`${host} ${/locations\/([^/]+)/.exec(pathname)?.[1]}`)
    return Response.json({ error: { code: 503, message: 'down', status: 'UNAVAILABLE' } }, { status: 503 })
  })
  const { tracer, spans } = spanRecorder()
  const context = {
    env,
    clock: clockFrom({}),
    tracer,
    allowedSecrets: ['VERTEX_ACCESS_TOKEN'],
    credentials: [],
    bodyOf: () => Promise.resolve(null),
  }
  for (const place of [{}, { region: 'europe-west4' }]) {
    const outcome = await runManagedCacheLease(renewal(place), context)
    expect(outcome.kind === 'failed' && outcome.failure.kind).toBe('provider_unavailable')
  }
  expect(hosts[0]).toMatch(/^us-central1-/)
  expect(hosts[1]).toMatch(/^europe-west4-/)
  expect(spans.map(({ name, attributes }) => [name, attributes['error.type']])).toEqual([
    ['renew_cache gemini-3.8-flash', 'provider_unavailable'],
    ['renew_cache gemini-3.8-flash', 'provider_unavailable'],
  ])
  for (const told of ['shop-12345', 'ya29', 'cachedContents', String(NOON)])
    expect(JSON.stringify(spans)).not.toContain(told)
})

const switched = (state: unknown): Environment =>
  ({ ...env, DIRECTORY: { getByName: () => ({ answer: async () => ({ value: state }) }) } }) as unknown as Environment

it('a call that the kill switch holds is a failure, which ends the wait for it', async () => {
  const sent = vi.spyOn(globalThis, 'fetch')
  // Later than what an isolate remembers of the switch.
  const clock = { ...clockFrom({}), now: () => Date.now() + 60_000 }
  const context = {
    env: switched({ on: true, version: 9 }),
    clock,
    allowedSecrets: ['VERTEX_ACCESS_TOKEN'],
    credentials: [],
  }
  const outcome = await runManagedCacheLease(renewal({}), { ...context, bodyOf: () => Promise.resolve(null) })
  expect(outcome).toMatchObject({ kind: 'failed', accepted: false, permanent: false, failure: { kind: 'forbidden' } })
  expect(sent).not.toHaveBeenCalled()
})
