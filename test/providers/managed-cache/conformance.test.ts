import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { cards } from '../../../src/providers/registry.ts'
import { clockFrom } from '../../../src/runtime/clock.ts'
import { accessTo } from '../../../src/runtime/env.ts'
import { callManagedCache } from '../../../src/calls/managed-cache-request.ts'
import type { ManagedCacheAnswer } from '../../../src/calls/managed-cache-request.ts'
import { createLab } from '../../lab/index.ts'
import type { Lab } from '../../lab/index.ts'
import { serviceAccountKey } from '../../support/service-account.ts'
import type { ManagedCacheRequest } from '../../../src/providers/managed-cache/dialect.ts'
import { HOUR_MS } from '../../../src/core/time/time.ts'

/** Every provider with managed caches, the whole way to the lab and back: address, credential, transport, and the reading of it. */
const MODEL = 'gemini-3.8-flash'
const MARK = 'pilotlight:dep_1:00'
const TEXT = `{"contents":[{"role":"user","parts":[{"text":${JSON.stringify('Lamps. '.repeat(4_000))}}]}]}`
const clock = clockFrom({})

let lab: Lab
beforeEach(() => {
  lab = createLab({ now: () => clock.now(), sleep: () => Promise.resolve(), latency: 'off' })
  vi.spyOn(globalThis, 'fetch').mockImplementation((input, init) => lab.fetch(new Request(input, init)))
})
afterEach(() => {
  vi.restoreAllMocks()
})

const having = cards.filter((card) => card.managedCaches !== undefined)

describe.each(having.map((card) => [card.id, card] as const))('%s', (id, card) => {
  const dialect = card.managedCaches!
  const access = accessTo(card, { ENVIRONMENT: 'development', LAB_URL: 'http://lab.test', LAB_PROVIDERS: id })
  const ask = (request: ManagedCacheRequest, credential = access.credential): Promise<ManagedCacheAnswer> =>
    callManagedCache({ ...access, credential }, dialect, request, clock, 10_000)
  const textOf = (answer: ManagedCacheAnswer): string => {
    if (answer.kind !== 'answered') throw new Error(JSON.stringify(answer))
    return answer.text
  }
  const create = (text = TEXT, mark = MARK): ManagedCacheRequest =>
    dialect.create(dialect.prepare(text, MODEL), mark, HOUR_MS, access.baseUrl)

  it('creates, gets, lists, renews and deletes a cache', async () => {
    const made = dialect.read(textOf(await ask(create())))
    expect(made).toMatchObject({ model: MODEL, displayName: MARK })
    expect(made.tokens).toBeGreaterThan(1_000)
    expect(dialect.read(textOf(await ask(dialect.get(made.name))))).toEqual(made)
    expect(dialect.readList(textOf(await ask(dialect.list(null)))).caches).toEqual([made])
    const renewed = dialect.read(textOf(await ask(dialect.renew(made.name, 2 * HOUR_MS))))
    expect(renewed.expiresAt - made.expiresAt).toBeGreaterThan(HOUR_MS - 1_000)
    expect(renewed.name).toBe(made.name)
    expect((await ask(dialect.remove(made.name))).kind).toBe('answered')
    for (const request of [dialect.get(made.name), dialect.renew(made.name, HOUR_MS), dialect.remove(made.name)])
      expect((await ask(request)).kind).toBe('gone')
    expect(dialect.readList(textOf(await ask(dialect.list(null)))).caches).toEqual([])
  })

  it('reads a list of more than one page to its end', async () => {
    for (let n = 0; n < 101; n++) await ask(create(TEXT, `${MARK}${n}`))
    const first = dialect.readList(textOf(await ask(dialect.list(null))))
    expect(first.caches).toHaveLength(100)
    const second = dialect.readList(textOf(await ask(dialect.list(first.nextPageToken))))
    expect([second.caches.length, second.nextPageToken]).toEqual([1, null])
  })

  it('names the provider’s minimum for contents that are too small', async () => {
    const small = '{"contents":[{"role":"user","parts":[{"text":"Lamps."}]}]}'
    expect(await ask(create(small))).toMatchObject({
      kind: 'failed',
      accepted: false,
      permanent: true,
      failure: { kind: 'prefix_too_short', detail: { minimum_tokens: expect.any(Number) } },
    })
  })

  it('reads a refused key as one, and no cache as gone', async () => {
    expect(await ask(dialect.list(null), 'bad-key')).toMatchObject({
      kind: 'failed',
      permanent: true,
      accepted: false,
      failure: { kind: 'provider_key_refused' },
    })
  })

  it.each([
    ['overloaded', 'provider_unavailable', null],
    ['rate_limited', 'provider_limited', false],
  ] as const)('reads a fault of the lab: %s', async (kind, failure, accepted) => {
    lab.faults.add({ kind, provider: id as 'gemini' | 'vertex', times: 1 })
    expect(await ask(create())).toMatchObject({
      kind: 'failed',
      accepted,
      permanent: false,
      failure: { kind: failure },
    })
    expect((await ask(create())).kind).toBe('answered')
  })

  it.runIf(card.serviceAccounts === true)('is spoken to with a service-account key too, which stays here', async () => {
    const key = serviceAccountKey()
    expect(await ask(create(), key.file)).toMatchObject({
      kind: 'failed',
      accepted: false,
      permanent: true,
      failure: { kind: 'provider_key_refused', detail: { type: 'invalid_grant' } },
    })
    lab.addServiceAccount(key.email, key.publicKey)
    expect(textOf(await ask(create(), key.file))).toContain(MARK)
    const sent = lab.transcript.list().map(({ path, status }) => `${path.split('/').at(-1)} ${status}`)
    expect(sent).toEqual(['token 400', 'token 200', 'cachedContents 200'])
  })
})
