import { createExecutionContext, waitOnExecutionContext } from 'cloudflare:test'
import { describe, expect, it } from 'vitest'
import { app } from '../../../src/http/app.ts'
import { orOlder } from '../../../src/http/server/older-object.ts'
import type { Environment } from '../../../src/runtime/env.ts'
import { ACCOUNT, anthropicBody, bindings, get, useLab, warmedId } from '../support.ts'

useLab()

const SINCE = ['findByLookup', 'nearest', 'countUnmatched']

/**
 * The account's own object, in which methods of this version are not found: the runtime itself refuses the call. No object of the version
 * before answers by value.
 */
function withOlderObjects(...since: string[]): Environment {
  const lacks = [...since, 'answer']
  const older = (name: string) =>
    new Proxy(bindings.REGISTRY.getByName(name), {
      get(stub, method) {
        const real = Reflect.get(stub, method) as unknown
        if (typeof method !== 'string' || !lacks.includes(method)) {
          return typeof real === 'function'
            ? (...given: unknown[]) => Reflect.apply(real, stub, given) as unknown
            : real
        }
        return async () => {
          try {
            return await (Reflect.get(stub, `${method}OfNoVersion`) as () => Promise<unknown>)()
          } catch (thrown) {
            throw new TypeError((thrown as Error).message.replace('OfNoVersion', ''), { cause: thrown })
          }
        }
      },
    })
  return { ...bindings, REGISTRY: { getByName: older } as unknown as Environment['REGISTRY'] }
}

async function observed(env: Environment, request: unknown) {
  const usage = { input_tokens: 10, cache_read_input_tokens: 3_300, cache_creation_input_tokens: 0, output_tokens: 5 }
  const context = createExecutionContext()
  const answer = await app.fetch(
    new Request('http://pilotlight.test/observations', {
      method: 'POST',
      headers: { authorization: `Bearer ${ACCOUNT}`, 'content-type': 'application/json' },
      body: JSON.stringify([{ provider: 'anthropic', request, usage, started_at: Date.now() }]),
    }),
    env,
    context,
  )
  await waitOnExecutionContext(context)
  return { status: answer.status, ...((await answer.json()) as { data?: unknown[]; error?: unknown }) }
}

describe('an object of the version before', () => {
  it('finds a request by its fingerprint, and the answer is matched as before', async () => {
    const body = anthropicBody()
    const id = await warmedId(body)
    const env = withOlderObjects(...SINCE)
    expect(await observed(env, body)).toMatchObject({ status: 200, data: [{ prefix_id: id, matched: true }] })
    expect((await get(`/prefixes/${id}`)).json).toMatchObject({ hits: 1 })
  })

  it('says nothing of requests that belong to none, and counts none of them', async () => {
    const unmatched = async () =>
      (await get('/metrics')).text.match(/^pilotlight_unmatched_observations_total.*$/gm) ?? []
    const before = await unmatched()
    for (const lacks of [SINCE, ['nearest']]) {
      const { status, data } = await observed(withOlderObjects(...lacks), anthropicBody())
      expect([status, data]).toEqual([200, [{ prefix_id: null, matched: false }]])
    }
    expect(await unmatched()).toEqual(before)
    const { data } = await observed(withOlderObjects('countUnmatched'), anthropicBody())
    expect(data).toMatchObject([{ prefix_id: null, matched: false, reason: 'drifted' }])
    expect(await unmatched()).toEqual(before)
  })

  it('is known by the runtime’s own words for a method that is not there', async () => {
    const stub = bindings.REGISTRY.getByName('dev') as unknown as Record<string, () => Promise<unknown>>
    expect(await orOlder('noSuchMethod', stub['noSuchMethod']!(), 'instead')).toBe('instead')
    await expect(orOlder('other', stub['noSuchMethod']!(), 'instead')).rejects.toThrow('noSuchMethod')
    await expect(orOlder('other', Promise.reject(new Error('something else')), 'instead')).rejects.toThrow('something')
  })
})

it('an export to an older object is refused for a moment, so that it is sent again', async () => {
  const attributes = [
    { key: 'gen_ai.request.model', value: { stringValue: 'claude-opus-4-8' } },
    { key: 'gen_ai.usage.input_tokens', value: { intValue: '2100' } },
  ]
  const span = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), startTimeUnixNano: `${Date.now()}000000`, attributes }
  const context = createExecutionContext()
  const answer = await app.fetch(
    new Request('http://pilotlight.test/v1/traces', {
      method: 'POST',
      headers: { authorization: `Bearer ${ACCOUNT}`, 'content-type': 'application/json' },
      body: JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans: [span] }] }] }),
    }),
    withOlderObjects('told'),
    context,
  )
  await waitOnExecutionContext(context)
  expect([answer.status, answer.headers.get('retry-after')]).toEqual([429, '10'])
})
