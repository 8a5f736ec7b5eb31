import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import fc from 'fast-check'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { cardById, cards } from '../../../src/providers/registry.ts'
import { createTransport, MAX_ANSWER_BYTES } from '../../../src/providers/transport/send.ts'
import type { Call } from '../../../src/providers/transport/send.ts'
import { addressIn } from '../prepared.ts'

type Seen = { url: string; init: RequestInit; headers: Headers }

/** A transport onto a provider that answers as told, and remembers what it was sent. */
function transportTo(answer: (seen: Seen) => Response | Promise<Response>) {
  const seen: Seen[] = []
  const transport = createTransport({
    fetch: async (url, init) => {
      const one = {
        url: url instanceof Request ? url.url : String(url),
        init: init ?? {},
        headers: new Headers(init?.headers),
      }
      seen.push(one)
      return answer(one)
    },
  })
  return { transport, seen }
}

const call = (id: string, more: Partial<Call> = {}): Call => {
  const card = cardById(id)!
  return {
    card,
    baseUrl: addressIn(card),
    credential: 'sk-test',
    request: { path: '/v1/x', body: '{"a":1}' },
    timeoutMs: 5000,
    ...more,
  }
}

const ids = cards.map(({ id }) => id)
afterEach(() => {
  vi.unstubAllEnvs()
})

describe.each(ids)('%s', (id) => {
  test('the body arrives once, byte for byte', async () => {
    const { transport, seen } = transportTo(() => new Response('{}'))
    const body = '{ "10":1.0,\n "1": 12345678901234567890, "t":"\\u00e9 é 漢 😀 \u2028" }'
    await transport.send(call(id, { request: { path: '/v1/x?y=1', body } }))
    expect(seen).toHaveLength(1)
    expect(seen[0]!.init.body).toBe(body)
    expect(seen[0]!.init.method?.toUpperCase()).toBe('POST')
    expect(seen[0]!.headers.get('content-type')).toBe('application/json')
    expect(seen[0]!.url).toBe(`${addressIn(cardById(id)!)}/v1/x?y=1`)
  })

  test('any text arrives unchanged', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'binary', minLength: 1 }), async (body) => {
        const { transport, seen } = transportTo(() => new Response('{}'))
        await transport.send(call(id, { request: { path: '/x', body } }))
        expect(seen[0]!.init.body).toBe(body)
      }),
      { numRuns: 25 },
    )
  })

  test('the credential is sent in its header and in no other', async () => {
    const { transport, seen } = transportTo(() => new Response('{}'))
    await transport.send(call(id))
    const carrying = [...seen[0]!.headers].filter(([, value]) => value.includes('sk-test')).map(([name]) => name)
    const { auth } = cardById(id)!
    expect(carrying).toEqual([auth.header === 'authorization-bearer' ? 'authorization' : auth.header])
  })

  test('the credential is sent in another header where the card names it', async () => {
    const { transport, seen } = transportTo(() => new Response('{}'))
    await transport.send(call(id, { card: { ...cardById(id)!, auth: { header: 'api-key' } } }))
    expect([...seen[0]!.headers].filter(([, value]) => value.includes('sk-test'))).toEqual([['api-key', 'sk-test']])
  })

  test('nothing is read from the environment', async () => {
    const names = [
      'OPENAI_API_KEY',
      'OPENAI_ORG_ID',
      'OPENAI_PROJECT_ID',
      'ANTHROPIC_API_KEY',
      'ANTHROPIC_AUTH_TOKEN',
      'GEMINI_API_KEY',
    ]
    for (const name of names) vi.stubEnv(name, 'sk-env')
    for (const name of ['OPENAI_BASE_URL', 'ANTHROPIC_BASE_URL']) vi.stubEnv(name, 'https://elsewhere.test')
    const { transport, seen } = transportTo(() => new Response('{}'))
    await transport.send(call(id))
    expect(new URL(seen[0]!.url).host).toBe(new URL(addressIn(cardById(id)!)).host)
    expect(JSON.stringify([...seen[0]!.headers])).not.toContain('env')
  })

  test.each([200, 400, 401, 409, 429, 500, 529])(
    'status %d is an answer, read once and never retried',
    async (status) => {
      const { transport, seen } = transportTo(
        () =>
          new Response('{"x":"é"}', { status, headers: { 'retry-after': '3', 'content-type': 'application/json' } }),
      )
      const sent = await transport.send(call(id))
      expect(sent).toMatchObject({ kind: 'answered', status, text: '{"x":"é"}' })
      expect(sent.kind === 'answered' && sent.headers.get('retry-after')).toBe('3')
      expect(seen).toHaveLength(1)
    },
  )

  test('a redirect is not followed', async () => {
    const { transport, seen } = transportTo(
      () => new Response(null, { status: 302, headers: { location: 'https://elsewhere.test' } }),
    )
    expect(await transport.send(call(id))).toMatchObject({ kind: 'answered', status: 302 })
    expect(seen[0]!.init.redirect).toBe('manual')
    expect(seen).toHaveLength(1)
  })

  test('a call without an answer ends at the time-out, with an unknown outcome', async () => {
    const { transport } = transportTo(() => new Promise(() => {}))
    const sent = await transport.send(call(id, { timeoutMs: 30 }))
    expect(sent).toMatchObject({ kind: 'failed', failure: { kind: 'provider_timeout' }, outcomeKnown: false })
  })

  test('an endless answer ends at the time-out, and its stream is closed', async () => {
    let cancelled = false
    const { transport } = transportTo(
      () =>
        new Response(
          new ReadableStream({
            start: (controller) => controller.enqueue(new TextEncoder().encode('{"a":')),
            cancel: () => {
              cancelled = true
            },
          }),
        ),
    )
    const sent = await transport.send(call(id, { timeoutMs: 30 }))
    expect(sent).toMatchObject({ kind: 'failed', failure: { kind: 'provider_timeout' }, outcomeKnown: false })
    expect(cancelled).toBe(true)
  })

  test('an answer that is too large is not read to its end', async () => {
    const chunk = new Uint8Array(256 * 1024)
    let chunks = 0
    const { transport } = transportTo(
      () =>
        new Response(
          new ReadableStream({
            pull: (controller) => {
              chunks++
              controller.enqueue(chunk)
            },
          }),
        ),
    )
    const sent = await transport.send(call(id))
    expect(sent).toMatchObject({ kind: 'failed', failure: { kind: 'unreadable_answer' }, outcomeKnown: false })
    expect(chunks).toBeLessThan(MAX_ANSWER_BYTES / chunk.length + 5)
  })

  test('a call ends as soon as its caller aborts it', async () => {
    const controller = new AbortController()
    const { transport } = transportTo(() => {
      controller.abort()
      return new Promise(() => {})
    })
    const sent = await transport.send(call(id, { signal: controller.signal }))
    expect(sent).toMatchObject({ kind: 'failed', failure: { kind: 'provider_unavailable' }, outcomeKnown: false })
  })

  test('a call that was aborted before it is not sent, which is known', async () => {
    const { transport, seen } = transportTo(() => new Promise(() => {}))
    const sent = await transport.send(call(id, { signal: AbortSignal.abort() }))
    expect(sent).toMatchObject({ kind: 'failed', failure: { kind: 'provider_unavailable' }, outcomeKnown: true })
    expect(seen).toEqual([])
  })

  test('a broken connection has an unknown outcome, a refused one does not', async () => {
    const broken = transportTo(() => {
      throw new TypeError('fetch failed', { cause: Object.assign(new Error('x'), { code: 'ECONNRESET' }) })
    })
    expect(await broken.transport.send(call(id))).toMatchObject({
      failure: { kind: 'provider_unavailable' },
      outcomeKnown: false,
    })
    const refused = transportTo(() => {
      throw new TypeError('fetch failed', { cause: Object.assign(new Error('x'), { code: 'ECONNREFUSED' }) })
    })
    expect(await refused.transport.send(call(id))).toMatchObject({
      failure: { kind: 'provider_unavailable' },
      outcomeKnown: true,
    })
    expect(broken.seen).toHaveLength(1)
  })

  test.each(['', 'a b', 'sk\r\nx-evil: 1', 'schlüssel'])('a credential like %j is never sent', async (credential) => {
    const { transport, seen } = transportTo(() => new Response('{}'))
    const sent = await transport.send(call(id, { credential }))
    expect(sent).toMatchObject({ kind: 'failed', failure: { kind: 'provider_key_refused' }, outcomeKnown: true })
    if (credential !== '') expect(JSON.stringify(sent)).not.toContain(credential)
    expect(seen).toHaveLength(0)
  })

  test('an invalid base URL sends nothing and throws nothing', async () => {
    const { transport } = transportTo(({ url }) => new Response(new URL(url).href))
    expect(await transport.send(call(id, { baseUrl: 'not a url' }))).toMatchObject({ kind: 'failed' })
  })

  test('the bytes over a real socket are the same', async () => {
    const received: Buffer[] = []
    const server = createServer((request, response) => {
      request.on('data', (chunk: Buffer) => received.push(chunk)).on('end', () => response.end('{"ok":true}'))
    })
    await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready))
    try {
      const body = '{"t":"é 漢 😀 \\u00e9", "n": 1.0 }'
      const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/base`
      const sent = await createTransport({ fetch: globalThis.fetch }).send(
        call(id, { baseUrl, request: { path: '/x', body } }),
      )
      expect(sent).toMatchObject({ kind: 'answered', status: 200, text: '{"ok":true}' })
      expect(Buffer.concat(received).toString('utf8')).toBe(body)
    } finally {
      server.closeAllConnections()
      await new Promise((closed) => server.close(closed))
    }
  })
})
