import { describe, expect, test } from 'vitest'
import { cards } from '../../../src/providers/registry.ts'
import { createTransport } from '../../../src/providers/transport/send.ts'
import { addressIn } from '../prepared.ts'

/** The same transport in the Workers runtime, where the SDKs might take themselves to be in a browser. */
describe.each(cards)('$id in workerd', (card) => {
  const body = '{ "10":1.0, "t":"\\u00e9 é 漢 😀" }'
  const call = { card, baseUrl: addressIn(card), credential: 'sk-test', request: { path: '/x', body } }

  test('the body is sent byte for byte', async () => {
    const received: string[] = []
    const transport = createTransport({
      fetch: async (url, init) => {
        received.push(await new Request(url, init).text())
        return new Response('{"ok":true}')
      },
    })
    expect(await transport.send({ ...call, timeoutMs: 5000 })).toMatchObject({ kind: 'answered', text: '{"ok":true}' })
    expect(received).toEqual([body])
  })

  test('a call without an answer ends at the time-out', async () => {
    const transport = createTransport({ fetch: () => new Promise(() => {}) })
    expect(await transport.send({ ...call, timeoutMs: 20 })).toMatchObject({
      failure: { kind: 'provider_timeout' },
      outcomeKnown: false,
    })
  })
})
