import { expect, it } from 'vitest'
import { edit, objectEdits } from '../../src/core/prompt/json-edit.ts'
import { member } from '../../src/core/prompt/json-text.ts'
import { readReply, turnRequest } from '../../src/providers/conversation.ts'
import { NO_USAGE } from '../../src/providers/dialects/shared/usage.ts'
import { readBody } from '../../src/providers/dialects/shared/body.ts'
import { NO_MARKERS, section } from '../../src/providers/dialects/shared/layout.ts'
import { blocksOf, cutAfter } from '../../src/providers/prefix/blocks.ts'
import { withMarkers } from '../../src/providers/prefix/with-markers.ts'
import { cardById, dialectOf, modelFacts, wireOf } from '../../src/providers/registry.ts'
import { createTransport } from '../../src/providers/transport/send.ts'
import { PLAIN } from '../../src/providers/wire.ts'
import type { Card } from '../../src/providers/card.ts'
import type { DialectDefinition } from '../../src/providers/dialect.ts'

/** A wire format that no provider has: a list of lines, and an answer that is one line. It is complete in this one object. */
const lines: DialectDefinition = {
  id: 'lines',
  wire: { ...PLAIN, version: '/v1' },
  client: 'fetch',
  recognises: (root) => member(root, 'lines') !== undefined,
  create: (wire) => ({
    prepare: ({ text, model = 'unknown' }) => ({
      model,
      text,
      breakpoint: { path: 'lines', byte: text.length },
      retention: 'implicit',
      canonical: text,
      cacheKey: null,
      estimatedTokens: 1,
      advice: [],
    }),
    compared: ({ model = 'unknown' }) => ({ model, cacheKey: null, settings: [] }),
    render: ({ system = '' }) => JSON.stringify({ lines: [system] }),
    primitives: (_, facts) => facts.primitives,
    probe: ({ text }) => ({
      path: `${wire.version}/say`,
      body: edit(text, objectEdits(readBody(text).root, { most: '1' })),
      outputTokens: 1,
    }),
    readAnswer: () => ({ usage: NO_USAGE, rawUsage: null, model: null }),
    readUsage: () => null,
    readError: () => ({
      failure: { kind: 'provider_rejected', message: 'no' },
      retryAfterMs: null,
      primitiveRefused: false,
      permanent: true,
    }),
    sections: [section('list', ['lines'])],
    markers: {
      ...NO_MARKERS,
      markEnd: ({ root }) => (member(root, 'keep') === undefined ? objectEdits(root, { keep: 'true' }) : []),
    },
    lint: {
      tools: [],
      system: [],
      turns: 'lines',
      parts: 'parts',
      marker: null,
      maxMarkers: null,
      lookback: null,
      parameters: [],
    },
    turns: {
      markable: () => ({ most: 0, tools: false, answers: 'none' }),
      request: ({ stream }) => ({ path: '/say', body: stream ? 'in pieces' : 'at once' }),
      reply: ([answer]) => ({ text: String(answer?.['line']), complete: true, toolCalls: [], native: null }),
      delta: () => '',
      endsAtResults: true,
    },
    unknownModel: { primitives: ['one_token'], writesReported: false },
    outputFloor: 1,
  }),
}

const card: Card = {
  ...cardById('groq')!,
  id: 'example',
  baseUrl: 'https://lines.test',
  dialect: lines,
  wire: { version: '/v2' },
  tools: false,
  models: [],
}

it('a new dialect needs no code outside of its definition', async () => {
  const text = '{"lines": ["one", "two"]}'
  const dialect = dialectOf(card)
  expect(wireOf(card)).toMatchObject({ version: '/v2', cap: 'max_tokens' })
  expect(modelFacts(card, 'm', 0)).toMatchObject({ primitives: ['one_token'], retentions: [], price: null })
  const blocks = blocksOf(dialect, text)
  expect(blocks.map(({ tokens }) => tokens)).toEqual(['lines text "one"', 'lines text "two"'])
  expect(cutAfter(dialect, text, blocks[0]!.place)).toBe('{"lines": ["one"]}')
  expect(withMarkers(card, text, '5m')).toBe('{"lines": ["one", "two"],"keep":true}')
  expect(readReply(card, '{"line":"three"}', 'application/json').text).toBe('three')

  const prefix = dialect.prepare({ text, model: 'm' }, () => modelFacts(card, 'm', 0))
  const request = dialect.probe(prefix, { primitive: 'one_token', retention: 'implicit' })
  const sent: string[] = []
  const transport = createTransport({
    fetch: async (url, init) => {
      sent.push(`${String(url)} ${String(init?.body)}`)
      return new Response('{}')
    },
  })
  await transport.send({ card, baseUrl: card.baseUrl, credential: 'k', request, timeoutMs: 1_000 })
  expect(sent).toEqual(['https://lines.test/v2/say {"lines": ["one", "two"],"most":1}'])
})

it('a card that cannot stream is asked for a whole answer', () => {
  const conversation = {
    model: 'm',
    messages: [],
    breakpoints: { head: false, at: new Set<number>(), olderSummaries: new Set<number>() },
    volatileText: null,
    maxOutputTokens: 1,
    cache: null,
    tools: [],
    noTools: false,
    stream: true,
  }
  expect(turnRequest(card, conversation).body).toBe('in pieces')
  expect(turnRequest({ ...card, streams: false }, conversation).body).toBe('at once')
})
