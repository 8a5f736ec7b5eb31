import { describe, expect, test } from 'vitest'
import { cards, dialectOf, modelFacts } from '../../src/providers/registry.ts'
import { chatCompletions } from '../../src/providers/dialects/openai/chat.ts'
import { createTransport } from '../../src/providers/transport/send.ts'
import { caller, tokens } from '../lab/caller.ts'

/** Cards that share OpenAI's shape, against the lab's automatic cache: what a probe writes, the real request reads. */

const shaped = cards.filter((card) => card.dialect === chatCompletions && card.refusal === undefined)
const RULES = tokens(9000, 'rules')

describe.each(shaped.map((card) => [card.id, card] as const))('%s', (_, card) => {
  test('the second probe and the real request read what the first probe wrote', async () => {
    const { lab } = caller()
    const transport = createTransport({ fetch: async (url, init) => lab.fetch(new Request(url, init)) })
    const dialect = dialectOf(card)
    const body = {
      model: 'lab-old-1',
      messages: [
        { role: 'system', content: RULES },
        { role: 'user', content: 'Where is my order?' },
      ],
    }
    const prefix = dialect.prepare({ text: JSON.stringify(body) }, (id) => modelFacts(card, id, Date.UTC(2026, 10, 21)))
    const send = async (path: string, text: string) => {
      // The lab takes OpenAI's own header only.
      const plain = { ...card, auth: { header: 'authorization-bearer' } }
      const call = { card: plain, baseUrl: 'http://lab.test/openai/v1', credential: 'key-a', timeoutMs: 5_000 }
      const sent = await transport.send({ ...call, request: { path, body: text } })
      if (sent.kind !== 'answered' || sent.status !== 200) throw new Error(`refused: ${JSON.stringify(sent)}`)
      return dialect.readAnswer(sent.text, sent.headers.get('content-type') ?? '', sent.headers).usage
    }
    const probe = (nonce: string) =>
      dialect.probe(prefix, { primitive: 'one_token', retention: prefix.retention, nonce })
    const { path } = probe('1')
    expect((await send(path, probe('1').body)).cacheReadTokens).toBe(0)
    expect((await send(path, probe('2').body)).cacheReadTokens).toBeGreaterThan(8_000)
    const real = await send(path, JSON.stringify(body))
    expect(real.cacheReadTokens).toBeGreaterThan(8_000)
    expect((real.uncachedTokens ?? 0) + (real.cacheReadTokens ?? 0)).toBe(real.inputTokens)
  })
})
