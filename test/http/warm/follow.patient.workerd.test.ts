import { createExecutionContext, waitOnExecutionContext } from 'cloudflare:test'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { app } from '../../../src/http/app.ts'
import { ADMIN, bindings, call, endOf, longText, pick, post, received, useLab } from '../support.ts'

/** A provider that is given minutes for an answer: longer than a request's work may run on after its answer. */

const world = useLab()
const secrets = bindings as unknown as Record<string, string>
const NAMES = { LLAMA_CPP_BASE_URL: 'http://lab.test/openai/v1', LLAMA_CPP_API_KEY: 'lab' }

beforeAll(() => void Object.assign(secrets, NAMES))
afterAll(() => {
  for (const name of Object.keys(NAMES)) delete secrets[name]
})
beforeEach(async () => {
  await call('DELETE', '/providers/llama-cpp', undefined, { key: ADMIN })
})

const body = () => ({
  provider: 'llama-cpp',
  request: {
    model: 'gpt-4.1',
    messages: [
      { role: 'system', content: longText(400) },
      { role: 'user', content: 'Which tent for two?' },
    ],
  },
  keep_warm: { plan: 'off' },
})

it('a quick answer is waited for, though the queue makes the call', async () => {
  const given = body()
  const first = await post('/warm', given)
  expect([first.status, pick(first, 'job') ?? null, received(world.lab).length]).toEqual([200, null, 1])
  const again = await post(`/prefixes/${pick(first, 'id')}/warm`)
  expect([again.status, pick(again, 'receipt', 'kind')]).toEqual([200, 'full'])
})

it('a call that outlasts its caller’s minute becomes a job, and is answered', async () => {
  const provider = world.hold()
  const anchor = String(Date.now())
  const fast = { ...bindings, CLOCK_RATE: '100', CLOCK_REAL_ANCHOR_AT: anchor, CLOCK_VIRTUAL_ANCHOR_AT: anchor }
  const context = createExecutionContext()
  const request = new Request('http://pilotlight.test/warm', {
    method: 'POST',
    headers: { authorization: 'Bearer pilotlight-dev', 'content-type': 'application/json' },
    body: JSON.stringify(body()),
  })
  const answer = await app.fetch(request, fast, context)
  // Nothing of the request is left running: the platform would end it half a minute after the answer.
  await waitOnExecutionContext(context)
  const waiting = (await answer.json()) as { receipt: unknown; job: { id: string } }
  expect([answer.status, waiting.receipt]).toEqual([202, null])
  await expect.poll(() => received(world.lab).length).toBe(1)
  provider.release()
  expect((await endOf(waiting.job.id)).json).toMatchObject({ status: 'succeeded', failure: null })
  expect(received(world.lab)).toHaveLength(1)
})

it('an administrator may give a provider less than that: its caller makes the call again', async () => {
  await call('PATCH', '/providers/llama-cpp', { answer_timeout: '50s' }, { key: ADMIN })
  const first = await post('/warm', body())
  expect(pick(first, 'receipt', 'provider_response', 'usage')).toBeDefined()
})
