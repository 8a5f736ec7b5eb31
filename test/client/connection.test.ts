import { expect, it, vi } from 'vitest'
import { ask, connectionOf, PilotlightError } from '../../src/client/connection.ts'
import { finished, isKind, warmup } from '../../src/client/warm.ts'

const refusal = (kind: string, status: number, retryable: boolean, detail = {}) =>
  Response.json({ error: { kind, message: `${kind}.`, retryable, detail } }, { status })

/** A deployment that gives these answers in order and records the calls. */
function deployment(answers: (() => Response)[], timeoutMs?: number) {
  const calls: { url: string; init: RequestInit | undefined; key: string | null }[] = []
  const fetch = async (url: string, init?: RequestInit): Promise<Response> => {
    calls.push({ url, init, key: new Headers(init?.headers).get('idempotency-key') })
    const answer = answers[calls.length - 1]
    if (answer !== undefined) return answer()
    return new Promise((_, reject) =>
      init?.signal?.addEventListener('abort', () => reject(init.signal?.reason as Error)),
    )
  }
  const timeouts = timeoutMs === undefined ? {} : { timeoutMs }
  return { calls, connection: connectionOf({ baseUrl: 'http://x.test/', key: 'k', fetch, ...timeouts }) }
}

it('retries retryable failures with one idempotency key, after the requested wait', async () => {
  vi.useFakeTimers()
  try {
    const { calls, connection } = deployment([
      () => refusal('rate_limited', 429, true, { retry_after_seconds: 3 }),
      () => {
        throw new TypeError('reset')
      },
      () => Response.json({ id: 'pfx_1' }),
    ])
    const warmed = warmup(connection, { provider: 'anthropic', request: {} })
    await vi.advanceTimersByTimeAsync(2_900)
    expect(calls).toHaveLength(1)
    await vi.advanceTimersByTimeAsync(5_000)
    expect(await warmed).toMatchObject({ id: 'pfx_1' })
    expect(calls[0]?.url).toBe('http://x.test/warm')
    expect(new Set(calls.map(({ key }) => key)).size).toBe(1)
    expect(calls[0]?.key).toMatch(/^[0-9a-f-]{36}$/)
  } finally {
    vi.useRealTimers()
  }
})

it('does not retry permanent failures, and gives up after the last retry', async () => {
  vi.useFakeTimers()
  try {
    const wrong = deployment([() => refusal('invalid_request', 400, false, { field: 'model' })])
    const thrown = await warmup(wrong.connection, { provider: 'x' }).catch((error: unknown) => error)
    expect(isKind(thrown, 'invalid_request')).toBe(true)
    expect(thrown).toMatchObject({ status: 400, detail: { field: 'model' }, message: 'invalid_request.' })
    expect(wrong.calls).toHaveLength(1)

    const down = deployment([1, 2, 3, 4].map(() => () => new Response('<html>', { status: 502 })))
    const given = ask(down.connection, 'GET', '/health').catch((error: unknown) => error)
    await vi.advanceTimersByTimeAsync(60_000)
    expect(await given).toMatchObject({ kind: 'internal', status: 502, retryable: true })
    expect(down.calls).toHaveLength(3)
  } finally {
    vi.useRealTimers()
  }
})

it('ends with its signal, while it is asked and while it waits', async () => {
  const mine = new Error('the user left')
  const hanging = deployment([])
  const stop = new AbortController()
  const asked = ask(hanging.connection, 'GET', '/health', { signal: stop.signal })
  stop.abort(mine)
  await expect(asked).rejects.toBe(mine)
  const waiting = deployment([() => refusal('rate_limited', 429, true, { retry_after_seconds: 50 })])
  const later = new AbortController()
  const paused = ask(waiting.connection, 'GET', '/health', { signal: later.signal })
  setTimeout(() => later.abort(mine), 5)
  await expect(paused).rejects.toBe(mine)
  expect(waiting.calls).toHaveLength(1)
})

it('ends a call that is not answered in time, and says so', async () => {
  const { connection } = deployment([], 20)
  const thrown = ask({ ...connection, retries: 0 }, 'GET', '/health')
  await expect(thrown).rejects.toThrow('no answer within 20 ms')
  await expect(thrown).rejects.toBeInstanceOf(PilotlightError)
})

it('waits for a job, and answers one that failed', async () => {
  const job = (status: string) => () => Response.json({ id: 'job_1', status })
  const { connection, calls } = deployment([job('queued'), job('failed')])
  expect(await finished(connection, 'job_1')).toMatchObject({ status: 'failed' })
  expect(calls.map(({ url }) => url)).toEqual(['http://x.test/jobs/job_1', 'http://x.test/jobs/job_1'])
})
