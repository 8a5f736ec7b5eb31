import { describe, expect, it } from 'vitest'
import { connectionOf } from '../../src/client/connection.ts'
import type { FetchLike } from '../../src/client/connection.ts'
import { observe } from '../../src/client/observe.ts'
import type { Fetch } from '../../src/client/observe.ts'

/** Texts of the reports that the deployment got. */
function deployment(answer: () => Response = () => Response.json({ data: [] })) {
  const sent: string[] = []
  const fetch: FetchLike = (_, init) => {
    sent.push(String(init?.body))
    return Promise.resolve(answer())
  }
  const connection = connectionOf({ baseUrl: 'http://pilotlight.test', key: 'k', fetch, retries: 0 })
  return { connection, sent, reports: () => sent.flatMap((text) => JSON.parse(text) as Record<string, unknown>[]) }
}

/** A provider that answers with these pieces, each only after the reader took the previous one. */
const provider =
  (pieces: string[], type = 'text/event-stream', status = 200): Fetch =>
  () => {
    const left = pieces.map((piece) => new TextEncoder().encode(piece))
    const body = new ReadableStream<Uint8Array>(
      {
        pull(controller) {
          const next = left.shift()
          if (next === undefined) controller.close()
          else controller.enqueue(next)
        },
      },
      { highWaterMark: 0 },
    )
    return Promise.resolve(new Response(body, { status, headers: { 'content-type': type, 'x-request-id': 'r1' } }))
  }

const started = [
  'event: message_start\ndata: {"type":"message_start","message":{"usage":{"input_tokens":5,"cache_read_input_tokens":2048,"output_tokens":1}}}\n\n',
  'data: {"type":"content_block_delta","delta":{"text":"Zwölf "}}\n\n',
  'data: {"type":"message_delta","usage":{"output_tokens":9}}\n\n',
]
// Key order, numbers and spacing that a second serialisation would lose.
const request = '{"model": "claude-opus-5", "temperature": 1.0, "max_tokens":1e3, "messages":[]}'
const post = { method: 'POST', body: request }
// Where the tests run is no matter: the lifetime has tests of its own.
const options = { provider: 'anthropic', now: () => 1_000, lifetime: 'unknown' as const }

it('passes on every byte and header of a stream, and reports usage with the request’s bytes', async () => {
  const { connection, sent, reports } = deployment()
  const fetch = observe(connection, provider(started), options)
  const answer = await fetch('https://api.anthropic.com/v1/messages', post)
  expect([answer.status, answer.headers.get('x-request-id')]).toEqual([200, 'r1'])
  expect(await answer.text()).toBe(started.join(''))
  await fetch.flush()
  expect(reports()).toMatchObject([
    {
      provider: 'anthropic',
      usage: { input_tokens: 5, cache_read_input_tokens: 2048, output_tokens: 9 },
      started_at: 1_000,
      ttft_ms: 0,
    },
  ])
  expect(sent[0]).toContain(`"request":${request}`)
})

it('reads nothing ahead of the reader, and holds nothing back', async () => {
  let taken = 0
  const slow: Fetch = () => {
    const body = new ReadableStream<Uint8Array>(
      {
        pull(controller) {
          taken += 1
          controller.enqueue(new TextEncoder().encode(`data: ${taken}\n\n`))
        },
      },
      { highWaterMark: 0 },
    )
    return Promise.resolve(new Response(body, { headers: { 'content-type': 'text/event-stream' } }))
  }
  const { connection, reports } = deployment()
  const fetch = observe(connection, slow, options)
  const reader = (await fetch('https://x.test/v1/messages', post)).body?.getReader()
  expect(taken).toBe(0)
  await reader?.read()
  await reader?.read()
  expect(taken).toBe(2)
  // A reader that stops early has sent a real request too.
  await reader?.cancel()
  await fetch.flush()
  expect(reports()).toMatchObject([{ provider: 'anthropic', usage: { uncached_input_tokens: null } }])
})

it('names the model where it stands in the address alone', async () => {
  const { connection, reports } = deployment()
  const fetch = observe(connection, provider(['{"usageMetadata":{}}'], 'application/json'), {
    ...options,
    provider: 'gemini',
  })
  const address = 'https://generativelanguage.googleapis.com/v1beta/models/gemini-2.5-pro:generateContent?alt=json'
  await (await fetch(new URL(address), post)).text()
  await fetch.flush()
  expect(reports()).toMatchObject([{ provider: 'gemini', model: 'gemini-2.5-pro' }])
})

it('reports by the prefix’s id without the request, where there is one', async () => {
  const { connection, sent } = deployment()
  const fetch = observe(connection, provider(['{"usage":{}}'], 'application/json'), { ...options, prefixId: 'pfx_1' })
  await (await fetch('https://x.test/v1/messages', post)).text()
  await fetch.flush()
  expect(JSON.parse(String(sent[0]))).toEqual([{ prefix_id: 'pfx_1', usage: {}, started_at: 1_000 }])
})

it.each([
  ['a refusal', provider(['{"error":{}}'], 'application/json', 429), post],
  ['another method', provider(['{}'], 'application/json'), { method: 'GET' }],
  ['a form', provider(['{}'], 'application/json'), { method: 'POST', body: new FormData() }],
  ['a body that is not JSON', provider(['{}'], 'application/json'), { method: 'POST', body: 'a=b' }],
] as const)('does not report %s', async (_, of, init) => {
  const { connection, sent } = deployment()
  const fetch = observe(connection, of, options)
  await (await fetch('https://x.test', init)).text()
  await fetch.flush()
  expect(sent).toEqual([])
})

it('never breaks a request, whatever becomes of the report', async () => {
  const errors: unknown[] = []
  const { connection } = deployment(() => {
    throw new TypeError('no network')
  })
  const fetch = observe(connection, provider(started), { ...options, onError: (error) => errors.push(error) })
  expect(await (await fetch('https://x.test/v1/messages', post)).text()).toBe(started.join(''))
  await fetch.flush()
  expect(errors).toMatchObject([{ name: 'PilotlightError', retryable: true }])
})

/** A provider whose stream errors when the signal of its request is aborted, as `fetch` does. */
const abortable = (pieces: string[]): Fetch => {
  const open = provider(pieces)
  return async (input, init) => {
    const signal = input instanceof Request ? input.signal : init?.signal
    const reader = (await open(input, init)).body!.getReader()
    const body = new ReadableStream<Uint8Array>(
      {
        start(controller) {
          signal?.addEventListener('abort', () => controller.error(signal.reason))
        },
        async pull(controller) {
          const { done, value } = await reader.read()
          if (done) await new Promise(() => {})
          else controller.enqueue(value)
        },
      },
      { highWaterMark: 0 },
    )
    return new Response(body, { headers: { 'content-type': 'text/event-stream' } })
  }
}

describe('a stream that its caller aborts', () => {
  const counted = [{ provider: 'anthropic', usage: { input_tokens: 5, cache_read_input_tokens: 2048 } }]

  it('is reported while a read waits, and the read fails as it would without', async () => {
    const { connection, reports } = deployment()
    const fetch = observe(connection, abortable(started.slice(0, 1)), options)
    const aborter = new AbortController()
    const reader = (await fetch('https://x.test', { ...post, signal: aborter.signal })).body!.getReader()
    await reader.read()
    const waits = reader.read()
    const reason = new DOMException('enough', 'AbortError')
    aborter.abort(reason)
    await expect(waits).rejects.toBe(reason)
    await fetch.flush()
    expect(reports()).toMatchObject(counted)
  })

  it.each([
    ['beside the address', (signal: AbortSignal): Parameters<Fetch> => ['https://x.test', { ...post, signal }]],
    ['in a Request', (signal: AbortSignal): Parameters<Fetch> => [new Request('https://x.test', { ...post, signal })]],
  ])('is reported when nobody reads any more, with the signal %s', async (_, call) => {
    const { connection, reports } = deployment()
    const fetch = observe(connection, abortable(started.slice(0, 1)), options)
    const aborter = new AbortController()
    await (await fetch(...call(aborter.signal))).body!.getReader().read()
    aborter.abort()
    await fetch.flush()
    expect(reports()).toMatchObject(counted)
  })

  it('is reported once where it ended before', async () => {
    const { connection, reports } = deployment()
    const fetch = observe(connection, provider(started), options)
    const aborter = new AbortController()
    await (await fetch('https://x.test', { ...post, signal: aborter.signal })).text()
    aborter.abort()
    await fetch.flush()
    expect(reports()).toHaveLength(1)
  })

  it('that breaks by itself is reported as well', async () => {
    const { connection, reports } = deployment()
    const lost = new TypeError('terminated')
    const body = new ReadableStream<Uint8Array>(
      {
        start(controller) {
          controller.enqueue(new TextEncoder().encode(started[0]))
        },
        pull(controller) {
          controller.error(lost)
        },
      },
      { highWaterMark: 0 },
    )
    const fetch = observe(
      connection,
      () => Promise.resolve(new Response(body, { headers: { 'content-type': 'text/event-stream' } })),
      options,
    )
    await expect((await fetch('https://x.test', post)).text()).rejects.toBe(lost)
    await fetch.flush()
    expect(reports()).toHaveLength(1)
  })
})

describe('the body of a request', () => {
  const bytes = new Uint8Array(new TextEncoder().encode(` ${request} `))
  it.each<[string, () => Parameters<Fetch>]>([
    ['a Request', () => [new Request('https://x.test/v1/messages', post)]],
    ['a Request and a body beside it', () => [new Request('https://x.test', { method: 'POST', body: 'a=b' }), post]],
    ['a Request of which the method stands beside it', () => [new Request('https://x.test'), post]],
    ['a Blob', () => ['https://x.test', { method: 'POST', body: new Blob([request]) }]],
    ['a view of a buffer', () => ['https://x.test', { method: 'post', body: bytes.subarray(1, -1) }]],
    ['another view of a buffer', () => ['https://x.test', { method: 'POST', body: new DataView(bytes.buffer) }]],
    ['a buffer', () => ['https://x.test', { method: 'POST', body: bytes.buffer }]],
  ])('is reported with its bytes, and sent: %s', async (_, call) => {
    const { connection, sent } = deployment()
    let arrived = ''
    const real: Fetch = async (input, init) => {
      arrived = await new Request(input, init).text()
      return provider(started)(input, init)
    }
    const fetch = observe(connection, real, options)
    await (await fetch(...call())).text()
    await fetch.flush()
    expect(sent[0]).toContain(request)
    expect(arrived.trim()).toBe(request)
  })

  const streamed = (): RequestInit => ({
    method: 'POST',
    body: new Blob([request]).stream(),
    // @ts-expect-error Node wants it for streams, and the types of Workers do not know it.
    duplex: 'half',
  })

  it('is not read where it is a stream, which is said once', async () => {
    const errors: unknown[] = []
    const { connection, sent } = deployment()
    const fetch = observe(connection, provider(started), { ...options, onError: (error) => errors.push(error) })
    for (let times = 0; times < 2; times++) await (await fetch('https://x.test', streamed())).text()
    await fetch.flush()
    expect(sent).toEqual([])
    expect(errors).toEqual([expect.objectContaining({ message: expect.stringContaining('stream') })])
  })

  it('need not be read where the prefix is named', async () => {
    const { connection, reports } = deployment()
    const fetch = observe(connection, provider(started), { ...options, prefixId: 'pfx_1' })
    await (await fetch('https://x.test', streamed())).text()
    await fetch.flush()
    expect(reports()).toMatchObject([{ prefix_id: 'pfx_1', usage: { cache_read_input_tokens: 2048 } }])
  })
})

it('reports the cache wishes and headers of the registration, where no id is given', async () => {
  const wishes = { cache: { key: 'team' }, headers: { 'anthropic-beta': 'context-1m' } }
  for (const more of [wishes, { ...wishes, prefixId: 'pfx_1' }]) {
    const { connection, reports } = deployment()
    const fetch = observe(connection, provider(started), { ...options, ...more })
    await (await fetch('https://x.test', post)).text()
    await fetch.flush()
    const [report] = reports()
    if ('prefixId' in more) expect(Object.keys(report ?? {})).not.toContain('headers')
    else expect(report).toMatchObject(wishes)
  }
})

it('passes the provider’s own failure on as it came', async () => {
  const { connection } = deployment()
  const broken = new TypeError('fetch failed')
  const fetch = observe(connection, () => Promise.reject(broken), options)
  await expect(fetch('https://x.test', post)).rejects.toBe(broken)
})

it('drops the oldest reports while the deployment is unreachable for long, and says so', async () => {
  const errors: unknown[] = []
  const { connection, reports } = deployment()
  const fetch = observe(connection, provider(['{"usage":{}}'], 'application/json'), {
    ...options,
    prefixId: 'p',
    onError: (error) => errors.push(error),
  })
  for (let n = 0; n < 1_003; n++) await (await fetch('https://x.test', post)).text()
  await fetch.flush()
  expect(errors.length).toBe(3)
  expect(reports()).toHaveLength(1_000)
})
