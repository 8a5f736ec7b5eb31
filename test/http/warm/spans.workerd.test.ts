import { createExecutionContext, runInDurableObject, waitOnExecutionContext } from 'cloudflare:test'
import { expect, it, vi } from 'vitest'
import type { Registry } from '../../../src/durable/registry/registry.ts'
import worker from '../../../src/worker.ts'
import { spanRecorder } from '../../support/spans.ts'
import { ADMIN, anthropicBody, bindings, call, newAccount, useLab, warmOf } from '../support.ts'

const world = useLab()

/** The platform's context, with a recorder in place of its tracing. */
function recorded() {
  const { tracer, spans } = spanRecorder()
  const context = createExecutionContext()
  Object.defineProperty(context, 'tracing', { value: tracer })
  return { context, spans }
}

async function account() {
  const own = await newAccount()
  await call('PATCH', `/accounts/${own.id}`, { allowed_secrets: ['ANTHROPIC_API_KEY'] }, { key: ADMIN })
  return own
}

const post = (path: string, body: unknown, key: string) =>
  new Request(`http://pilotlight.test${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })

it('a warm, one that the provider refuses, and a call of the queue are spans without a secret', async () => {
  const { id, key } = await account()
  const { context, spans } = recorded()
  const body = anthropicBody()
  const send = (path: string, given: unknown) => worker.fetch(post(path, given, key), bindings, context)
  const warmed = (await (await send('/warm', warmOf(body))).json()) as { id: string }
  world.lab.faults.add({ kind: 'server_error', times: 1 })
  expect((await send(`/prefixes/${warmed.id}/warm`, {})).status).toBe(503)

  const stub = bindings.REGISTRY.getByName(id) as unknown as DurableObjectStub<Registry>
  const seq = await runInDurableObject(stub, (_, { storage: { sql } }) => {
    const [at, entries] = [Date.now(), '[[1,0]]']
    const query = 'INSERT INTO claim (due_at, expires_at, entries) VALUES (?, ?, ?) RETURNING seq'
    return sql.exec<{ seq: number }>(query, at, at + 60_000, entries).one().seq
  })
  const acked: unknown[] = []
  const message = { body: { account: id, seq }, ack: () => acked.push(seq), retry: () => acked.push('retry') }
  const batch = { queue: 'pilotlight-probes', messages: [message] } as unknown as MessageBatch<unknown>
  await worker.queue(batch, bindings, context)
  await waitOnExecutionContext(context)
  expect(acked).toEqual([seq])

  const asked = {
    'gen_ai.operation.name': 'chat',
    'gen_ai.provider.name': 'anthropic',
    'gen_ai.request.model': 'claude-opus-5',
    'pilotlight.warm': true,
  }
  expect(spans).toMatchObject([
    { name: 'chat claude-opus-5', attributes: { ...asked, 'gen_ai.usage.cache_read.input_tokens': 0 } },
    { attributes: { ...asked, 'error.type': 'provider_unavailable' } },
    { attributes: { ...asked, 'gen_ai.usage.cache_creation.input_tokens': 0 } },
  ])
  const [wrote, , read] = spans.map(({ attributes }) => attributes)
  expect(wrote?.['gen_ai.usage.cache_creation.input_tokens']).toBe(read?.['gen_ai.usage.cache_read.input_tokens'])
  expect(wrote?.['gen_ai.usage.input_tokens']).toBeGreaterThan(2_000)
  const told = JSON.stringify(spans)
  for (const secret of [id, key, warmed.id, 'mountains', 'Edition', '"lab"']) expect(told).not.toContain(secret)
})

it('the platform has the tracing that calls use, on the context of each request', async () => {
  const taken = vi.spyOn(worker, 'fetch')
  expect((await call('GET', '/health')).status).toBe(200)
  const context = taken.mock.calls[0]?.[2] as ExecutionContext
  const seen = context.tracing.enterSpan('a test', (span) => [typeof span.isTraced, typeof span.setAttributes])
  expect(seen).toEqual(['boolean', 'function'])
})
