import { createExecutionContext, waitOnExecutionContext } from 'cloudflare:test'
import { expect, it } from 'vitest'
import { app } from '../../../src/http/app.ts'
import type { Environment } from '../../../src/runtime/env.ts'
import { ACCOUNT, anthropicBody, bindings, call, get, useLab, warmedId } from '../support.ts'

useLab()

type Answer = (method: string, given: unknown[]) => Promise<unknown>

/** The bindings, with the methods of the account's object that are called. */
function watched(): { env: Environment; called: string[] } {
  const called: string[] = []
  const getByName = (name: string) => {
    const stub = bindings.REGISTRY.getByName(name)
    return {
      answer: (method: string, given: unknown[]) => {
        called.push(method)
        return (stub.answer as unknown as Answer)(method, given)
      },
    }
  }
  return { env: { ...bindings, REGISTRY: { getByName } as unknown as Environment['REGISTRY'] }, called }
}

async function report(env: Environment, one: Record<string, unknown>) {
  const usage = { input_tokens: 10, cache_read_input_tokens: 3_300, cache_creation_input_tokens: 0, output_tokens: 5 }
  const context = createExecutionContext()
  const answer = await app.fetch(
    new Request('http://pilotlight.test/observations', {
      method: 'POST',
      headers: { authorization: `Bearer ${ACCOUNT}`, 'content-type': 'application/json' },
      body: JSON.stringify([{ usage, started_at: Date.now(), ...one }]),
    }),
    env,
    context,
  )
  await waitOnExecutionContext(context)
  return ((await answer.json()) as { data: { prefix_id: string | null; matched: boolean }[] }).data[0]
}

it('a report by id is one call of the account from the second on, and two by body', async () => {
  const body = anthropicBody()
  const id = await warmedId(body)
  const { env, called } = watched()
  await report(env, { prefix_id: id })
  called.length = 0
  expect(await report(env, { prefix_id: id })).toMatchObject({ prefix_id: id, matched: true })
  expect(called).toEqual(['observe'])
  called.length = 0
  expect(await report(env, { provider: 'anthropic', request: body })).toMatchObject({ prefix_id: id, matched: true })
  expect(called).toEqual(['findByLookup', 'observe'])
})

it('a report of a prefix that was deleted since matches none, and matches when it is back', async () => {
  const body = anthropicBody()
  const id = await warmedId(body)
  const { env, called } = watched()
  expect(await report(env, { prefix_id: id })).toMatchObject({ matched: true })
  await call('DELETE', `/prefixes/${id}`)
  expect(await report(env, { prefix_id: id })).toMatchObject({ prefix_id: id, matched: false })
  called.length = 0
  expect(await report(env, { prefix_id: id })).toMatchObject({ prefix_id: id, matched: false })
  expect(called).toContain('providersOf')
  expect(await warmedId(body)).toBe(id)
  expect(await report(env, { prefix_id: id })).toMatchObject({ matched: true })
})

it('the account books nothing that was read as usage of another provider', async () => {
  const id = await warmedId(anthropicBody())
  const registry = bindings.REGISTRY.getByName('dev')
  const hitsOf = async () => ((await get(`/prefixes/${id}`)).json as { traffic?: unknown }).traffic
  const before = await hitsOf()
  const arrivals = [{ startedAt: Date.now(), usage: USAGE, ttftMs: null }]
  expect(await registry.observe([{ id, arrivals, provider: 'openai' }])).toEqual([false])
  expect(await hitsOf()).toEqual(before)
  expect(await registry.observe([{ id, arrivals, provider: 'anthropic' }])).toEqual([true])
})

const USAGE = {
  inputTokens: 3_310,
  uncachedTokens: 10,
  cacheReadTokens: 3_300,
  cacheWriteTokens: 0,
  cacheWriteByRetention: {},
  outputTokens: 5,
  reasoningTokens: 0,
}
