import { createExecutionContext, runInDurableObject, waitOnExecutionContext } from 'cloudflare:test'
import { describe, expect, it } from 'vitest'
import { jobAnswer } from '../../../src/contract/warm.ts'
import { app } from '../../../src/http/app.ts'
import { anthropicBody, bindings, endOf, get, pick, post, received, useLab, warm, warmOf } from '../support.ts'

const world = useLab()

describe('one call for many', () => {
  it('serves two hundred callers at once with one write and one receipt, whatever their spacing', async () => {
    const body = anthropicBody()
    const answers = await Promise.all(
      Array.from({ length: 200 }, (_, index) =>
        post(
          '/warm',
          `{"provider":"anthropic",${' '.repeat(index)}"request":${JSON.stringify(body, null, index % 7)}}`,
        ),
      ),
    )
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]))
    expect(new Set(answers.map((answer) => pick(answer, 'id'))).size).toBe(1)
    expect(answers.filter((answer) => pick(answer, 'created') === true)).toHaveLength(1)
    expect(received(world.lab)).toHaveLength(1)
    const receipts = answers.map((answer) => [pick(answer, 'receipt', 'kind'), pick(answer, 'receipt', 'at')].join())
    expect(new Set(receipts).size).toBe(1)
    expect(receipts[0]).toMatch(/^written,/)
  })

  it('is finished and shared when the first caller hangs up', async () => {
    const provider = world.hold()
    const body = warmOf()
    const hangUp = new AbortController()
    const first = post('/warm', body, { signal: hangUp.signal }).catch((error: unknown) => error)
    await expect.poll(() => received(world.lab).length).toBe(1)
    // The label shows that the Registry has the second call.
    const name = `second-${crypto.randomUUID()}`
    const second = post('/warm', { ...body, name })
    await expect.poll(async () => pick(await get(`/prefixes?name=${name}`), 'data')).toHaveLength(1)
    hangUp.abort()
    expect(await first).toBeInstanceOf(Error)
    provider.release()
    expect((await second).json).toMatchObject({ created: false, receipt: { kind: 'written' } })
    expect(received(world.lab)).toHaveLength(1)
  })
})

describe('a caller who waits for another caller’s call', () => {
  it('gets the receipt although the Registry was restarted meanwhile', async () => {
    const provider = world.hold()
    const body = warmOf()
    const first = post('/warm', body)
    await expect.poll(() => received(world.lab).length).toBe(1)
    const name = `second-${crypto.randomUUID()}`
    const second = post('/warm', { ...body, name })
    await expect.poll(async () => pick(await get(`/prefixes?name=${name}`), 'data')).toHaveLength(1)
    // An eviction waits for the waiting caller. An abort cuts the wait off, as a deployment does.
    const registry = bindings.REGISTRY.getByName('dev')
    await expect(runInDurableObject(registry, (_, state) => state.abort('restarted'))).rejects.toThrow('restarted')
    provider.release()
    for (const answer of [await first, await second]) {
      expect(answer.json).toMatchObject({ receipt: { kind: 'written' }, warmth: { state: 'warm' } })
    }
    expect(received(world.lab)).toHaveLength(1)
  })

  it('gets a job after a minute of the clock, and the job ends with the receipt', async () => {
    const provider = world.hold()
    const body = warmOf()
    const first = post('/warm', body)
    await expect.poll(() => received(world.lab).length).toBe(1)
    // The same Worker with a clock a hundred times as fast: its minute is over in 0.6 s.
    const anchor = String(Date.now())
    const fast = { ...bindings, CLOCK_RATE: '100', CLOCK_REAL_ANCHOR_AT: anchor, CLOCK_VIRTUAL_ANCHOR_AT: anchor }
    const context = createExecutionContext()
    const request = new Request('http://pilotlight.test/warm', {
      method: 'POST',
      headers: { authorization: 'Bearer pilotlight-dev', 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
    const answer = await app.fetch(request, fast, context)
    const waiting = (await answer.json()) as { receipt: unknown; job: { id: string; status: string } }
    expect([answer.status, waiting.receipt, waiting.job.status]).toEqual([202, null, 'queued'])
    expect((await get(`/jobs/${waiting.job.id}`)).json).toMatchObject({ status: 'running' })
    expect((await get(`/jobs/${waiting.job.id}?wait=0s`)).json).toMatchObject({ status: 'running' })
    provider.release()
    expect((await first).json).toMatchObject({ receipt: { kind: 'written' } })
    expect((await endOf(waiting.job.id)).json).toMatchObject({ status: 'succeeded', receipt: { kind: 'written' } })
    await waitOnExecutionContext(context)
    expect(received(world.lab)).toHaveLength(1)
  })
})

describe('a background warm', () => {
  it('answers a job that ends with the receipt', async () => {
    const queued = await warm(anthropicBody(), { background: true })
    expect(queued.status).toBe(202)
    expect(queued.json).toMatchObject({ receipt: null, job: { status: 'queued', receipt: null } })
    expect(() => jobAnswer.parse(pick(queued, 'job'))).not.toThrow()
    expect((await endOf(pick(queued, 'job', 'id'))).json).toMatchObject({
      status: 'succeeded',
      receipt: { kind: 'written' },
      failure: null,
    })
  })
})
