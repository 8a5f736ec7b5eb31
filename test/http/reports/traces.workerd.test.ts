import { evictDurableObject, runInDurableObject } from 'cloudflare:test'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { statsAnswer } from '../../../src/contract/stats.ts'
import { MOST_TOLD, tracesAnswer } from '../../../src/contract/told.ts'
import { HOUR_MS, MINUTE_MS } from '../../../src/core/time/time.ts'
import { MAX_EXPORT_BYTES } from '../../../src/http/reports/read-export.ts'
import {
  ADMIN,
  anthropicBody,
  bindings,
  call,
  get,
  longText,
  newAccount,
  pick,
  post,
  useLab,
  warm,
} from '../support.ts'
import type { CallOptions } from '../support.ts'

useLab()
const noon = Date.UTC(2032, 2, 9, 12, 30)
let id = ''
let key = ''

beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['Date'] })
  vi.setSystemTime(noon)
  ;({ id, key } = await newAccount())
  await call('PATCH', `/accounts/${id}`, { allowed_secrets: ['ANTHROPIC_API_KEY'] }, { key: ADMIN })
})
afterEach(() => {
  vi.useRealTimers()
})

const mine = (headers: Record<string, string> = {}): CallOptions => ({ key, headers })
const nanos = (at: number) => `${at}000000`

type Attributes = Record<string, string | number | boolean>

/** A value of OTLP/JSON: whole numbers are text. */
function valueOf(value: string | number | boolean) {
  if (typeof value === 'number') return Number.isInteger(value) ? { intValue: String(value) } : { doubleValue: value }
  return typeof value === 'boolean' ? { boolValue: value } : { stringValue: value }
}
const attributes = (given: Attributes) =>
  Object.entries(given).map(([name, value]) => ({ key: name, value: valueOf(value) }))

let made = 0
function span(given: Attributes, more: Record<string, unknown> = {}) {
  made++
  return {
    traceId: 'a'.repeat(32),
    spanId: made.toString(16).padStart(16, '0'),
    name: 'chat',
    startTimeUnixNano: nanos(noon - MINUTE_MS),
    endTimeUnixNano: nanos(noon),
    attributes: attributes(given),
    ...more,
  }
}
const exported = (spans: unknown[], resource: Attributes = {}) => ({
  resourceSpans: [{ resource: { attributes: attributes(resource) }, scopeSpans: [{ scope: { name: 'test' }, spans }] }],
})
const claude = (read: number, input = 10_000, more: Attributes = {}): Attributes => ({
  'gen_ai.operation.name': 'chat',
  'gen_ai.provider.name': 'anthropic',
  'gen_ai.request.model': 'claude-sonnet-4-5',
  'gen_ai.usage.input_tokens': input,
  'gen_ai.usage.cache_read.input_tokens': read,
  'gen_ai.usage.cache_creation.input_tokens': 0,
  'gen_ai.usage.output_tokens': 12,
  ...more,
})

async function traces(spans: unknown[], resource?: Attributes) {
  const answer = await post('/v1/traces', exported(spans, resource), mine())
  expect([answer.status, answer.text]).toEqual([200, expect.any(String)])
  return tracesAnswer.parse(answer.json)
}
const stats = async (query: string) => statsAnswer.parse((await get(`/stats?${query}`, mine())).json)
const shown = async (id: string) => (await get(`/prefixes/${id}`, mine())).json

/** A prefix of a name, warm: its id, and how many tokens it has. */
async function registered(name: string): Promise<{ prefix: string; tokens: number }> {
  const body = { ...anthropicBody(longText()), model: 'claude-sonnet-4-5' }
  const answer = await warm(body, { name, keep_warm: { plan: 'off' } }, mine())
  const tokens = Number(pick(answer, 'receipt', 'usage', 'cache_write_input_tokens'))
  return { prefix: String(pick(answer, 'id')), tokens }
}

describe('POST /v1/traces', () => {
  it('counts spans of no prefix by provider and model, hits and misses and what says neither', async () => {
    const unsaid = claude(0)
    delete unsaid['gen_ai.usage.cache_read.input_tokens']
    delete unsaid['gen_ai.usage.cache_creation.input_tokens']
    expect(await traces([span(claude(9_000)), span(claude(0)), span(unsaid)])).toEqual({
      taken: 3,
      matched: 0,
      not_taken: [],
      not_known: [
        { reason: 'no_prefix', count: 3 },
        { reason: 'no_cache_count', count: 1 },
      ],
      partialSuccess: {},
    })
    const { data } = await stats('by=provider,model')
    expect(data).toMatchObject([
      {
        provider: 'anthropic',
        model: 'claude-sonnet-4-5',
        requests: 3,
        hits: 1,
        misses: 1,
        unknown: 1,
        read_tokens: 9_000,
      },
    ])
  })

  it.each([
    ['dotted', 'gen_ai.usage.cache_read.input_tokens', 'gen_ai.usage.cache_creation.input_tokens'],
    ['underscored', 'gen_ai.usage.cache_read_input_tokens', 'gen_ai.usage.cache_creation_input_tokens'],
  ])('reads %s names', async (_, read, written) => {
    await traces([
      span({
        'gen_ai.system': 'anthropic',
        'gen_ai.request.model': 'claude-sonnet-4-5',
        'gen_ai.usage.prompt_tokens': 5_000,
        [read]: 4_000,
        [written]: 900,
      }),
    ])
    expect((await stats('by=provider')).totals).toMatchObject({
      input_tokens: 5_000,
      read_tokens: 4_000,
      written_tokens: 900,
    })
  })

  it.each<[string, Attributes]>([
    [
      'OpenInference',
      {
        'openinference.span.kind': 'LLM',
        'llm.provider': 'openai',
        'llm.model_name': 'gpt-5.5',
        'llm.token_count.prompt': 5_000,
        'llm.token_count.prompt_details.cache_read': 4_000,
      },
    ],
    [
      'the AI SDK',
      {
        'ai.operationId': 'ai.streamText.doStream',
        'ai.model.provider': 'openai.responses',
        'ai.model.id': 'gpt-5.5',
        'ai.usage.inputTokens': 5_000,
        'ai.usage.cachedInputTokens': 4_000,
        'ai.response.msToFirstChunk': 312.5,
      },
    ],
    [
      'OpenLLMetry',
      {
        'llm.request.type': 'chat',
        'gen_ai.system': 'OpenAI',
        'gen_ai.request.model': 'gpt-5.5',
        'gen_ai.usage.prompt_tokens': 5_000,
        'gen_ai.usage.cache_read_input_tokens': 4_000,
        'llm.usage.total_tokens': 5_012,
      },
    ],
    [
      'a tool that leaves the cached tokens out of the input',
      {
        'gen_ai.operation.name': 'chat',
        'gen_ai.system': 'openai',
        'gen_ai.request.model': 'gpt-5.5',
        'gen_ai.usage.input_tokens': 1_000,
        'gen_ai.usage.cache_read.input_tokens': 4_000,
      },
    ],
  ])('reads the names of %s', async (_, given) => {
    expect(await traces([span(given)])).toMatchObject({ taken: 1, not_taken: [] })
    expect((await stats('by=provider,model')).data).toMatchObject([
      { provider: 'openai', model: 'gpt-5.5', hits: 1, input_tokens: 5_000, read_tokens: 4_000 },
    ])
  })

  it('tells an input without the cached tokens by the sum that stands beside it', async () => {
    await traces([
      span(claude(3_000, 5_000, { 'gen_ai.usage.total_tokens': 8_012 })),
      span(claude(3_000, 5_000, { 'gen_ai.usage.total_tokens': 5_012 })),
    ])
    expect((await stats('by=provider')).totals.input_tokens).toBe(8_000 + 5_000)
  })

  it('counts a span that is exported twice once, also when the second comes an hour later', async () => {
    const one = span(claude(9_000))
    expect(await traces([one, one])).toMatchObject({ taken: 1, not_taken: [{ reason: 'duplicate', count: 1 }] })
    vi.setSystemTime(noon + HOUR_MS)
    expect(await traces([one])).toMatchObject({ taken: 0, not_taken: [{ reason: 'duplicate', count: 1 }] })
    expect((await stats('by=provider')).totals.requests).toBe(1)
  })

  it('knows a span again after an eviction, and forgets it when it would be too old', async () => {
    const one = span(claude(9_000))
    await traces([one])
    const registry = bindings.REGISTRY.getByName(id)
    await evictDurableObject(registry)
    expect(await traces([one])).toMatchObject({ not_taken: [{ reason: 'duplicate', count: 1 }] })
    const held = () =>
      runInDurableObject(
        registry,
        (_, { storage }) => storage.sql.exec('SELECT count(*) AS n FROM told_call').one()['n'],
      )
    vi.setSystemTime(noon + 24 * HOUR_MS)
    await registry.rollUp()
    expect(await held()).toBe(1)
    vi.setSystemTime(noon + 24 * HOUR_MS + 1)
    await registry.rollUp()
    expect(await held()).toBe(0)
    expect(await traces([one])).toMatchObject({ taken: 0, not_taken: [{ reason: 'too_old', count: 1 }] })
  })

  it('counts a parent that repeats the tokens of its children once, in one export or in two', async () => {
    const parent = span(claude(9_000))
    const child = span(claude(9_000), { parentSpanId: parent.spanId })
    expect(await traces([parent, child])).toMatchObject({ taken: 1, not_taken: [{ reason: 'repeated', count: 1 }] })
    const later = span(claude(8_000, 9_500))
    await traces([span(claude(8_000, 9_500), { parentSpanId: later.spanId })])
    expect(await traces([later])).toMatchObject({ taken: 0, not_taken: [{ reason: 'repeated', count: 1 }] })
    expect((await stats('by=provider')).totals).toMatchObject({ requests: 2, read_tokens: 17_000 })
  })

  it('counts a call that was made inside of another one, with other tokens, beside it', async () => {
    const outer = span(claude(9_000))
    const tool = span({ 'gen_ai.operation.name': 'execute_tool' }, { parentSpanId: outer.spanId })
    const inner = span(claude(400, 2_000), { parentSpanId: tool.spanId })
    expect(await traces([outer, tool, inner])).toMatchObject({
      taken: 2,
      not_taken: [{ reason: 'not_a_model_call', count: 1 }],
    })
  })

  it.each(['pilotlight.prefix', 'pilotlight.name', 'gen_ai.agent.name', 'ai.telemetry.metadata.pilotlight.name'])(
    'a span names its prefix by %s, and is a hit of it',
    async (attribute) => {
      const { prefix, tokens } = await registered('harbour')
      const given = attribute === 'pilotlight.prefix' ? prefix : 'harbour'
      const answer = await traces([
        span(claude(tokens, tokens + 40, { [attribute]: given }), { startTimeUnixNano: nanos(noon) }),
      ])
      expect(answer).toMatchObject({ taken: 1, matched: 1, not_known: [] })
      expect(await shown(prefix)).toMatchObject({ hits: 1, misses: 0 })
      expect((await stats('by=name')).data).toMatchObject([{ name: 'harbour', hits: 1 }])
      expect((await get('/metrics', mine())).text).toMatch(/^pilotlight_hits_total 1$/m)
    },
  )

  it('an attribute of the resource names the prefix of all its spans', async () => {
    const { prefix } = await registered('harbour')
    expect(await traces([span(claude(0)), span(claude(0))], { 'pilotlight.name': 'harbour' })).toMatchObject({
      matched: 2,
    })
    expect(await shown(prefix)).toMatchObject({ misses: 2 })
  })

  it('a span of another model or provider, or of no such name, says nothing of the prefix', async () => {
    const { prefix } = await registered('harbour')
    const named = { 'pilotlight.name': 'harbour' }
    const answer = await traces([
      span(claude(0, 10_000, { ...named, 'gen_ai.request.model': 'claude-opus-4-8' })),
      span(claude(0, 10_000, { ...named, 'gen_ai.provider.name': 'aws.bedrock' })),
      span(claude(0, 10_000, { 'pilotlight.name': 'quay' })),
    ])
    expect(answer).toMatchObject({ taken: 3, matched: 0 })
    expect(answer.not_known).toEqual([
      { reason: 'other_model', count: 1 },
      { reason: 'other_provider', count: 1 },
      { reason: 'no_such_prefix', count: 1 },
    ])
    expect(await shown(prefix)).toMatchObject({ hits: 0, misses: 0 })
  })

  it('says by reason what it leaves out, and rejects in the words of OTLP only what is at fault', async () => {
    const { 'gen_ai.usage.input_tokens': _, ...uncounted } = claude(0)
    delete uncounted['gen_ai.usage.cache_read.input_tokens']
    delete uncounted['gen_ai.usage.cache_creation.input_tokens']
    const answer = await traces([
      span({ 'http.request.method': 'POST' }),
      span(claude(0), { status: { code: 2 } }),
      span(claude(0, 10_000, { 'pilotlight.warm': true })),
      span(uncounted),
      span(claude(0), { spanId: undefined }),
      span(claude(0), { startTimeUnixNano: 'yesterday' }),
      span(claude(0), { startTimeUnixNano: nanos(noon - 24 * HOUR_MS - 1) }),
      span(claude(0, 10_000, { 'gen_ai.usage.input_tokens': 1.5 })),
      span(claude(20_000, 10_000, { 'gen_ai.usage.cache_creation.input_tokens': 90_000_000 })),
    ])
    expect(answer.taken).toBe(1)
    expect(answer.not_taken).toEqual([
      { reason: 'not_a_model_call', count: 1 },
      { reason: 'failed', count: 1 },
      { reason: 'own_probe', count: 1 },
      { reason: 'no_usage', count: 1 },
      { reason: 'no_id', count: 1 },
      { reason: 'bad_time', count: 1, field: 'startTimeUnixNano' },
      { reason: 'too_old', count: 1 },
      { reason: 'bad_count', count: 1, field: 'gen_ai.usage.input_tokens' },
    ])
    expect(answer.not_known).toContainEqual({ reason: 'impossible_usage', count: 1 })
    expect(answer.partialSuccess.rejectedSpans).toBe('4')
    expect(answer.partialSuccess.errorMessage).toContain('1 bad_count (gen_ai.usage.input_tokens)')
  })

  it('an unknown provider keeps its name, and one that is not told is found by the model', async () => {
    const { 'gen_ai.provider.name': _, ...untold } = claude(9_000)
    await traces([span(claude(9_000, 10_000, { 'gen_ai.provider.name': 'Watson.X' })), span(untold)])
    const { data } = await stats('by=provider')
    expect(data.map(({ provider }) => provider)).toEqual(['anthropic', 'watson.x'])
  })
})

describe('the body of POST /v1/traces', () => {
  async function packed(text: string): Promise<Uint8Array> {
    const stream = new Blob([text]).stream().pipeThrough(new CompressionStream('gzip'))
    return new Uint8Array(await new Response(stream).arrayBuffer())
  }
  const gzip = { 'content-encoding': 'gzip' }

  it('may be packed with gzip', async () => {
    const body = await packed(JSON.stringify(exported([span(claude(9_000))])))
    expect((await post('/v1/traces', body, mine(gzip))).json).toMatchObject({ taken: 1 })
  })

  it('is unpacked up to the limit and no further', async () => {
    const spans = JSON.stringify(exported([span(claude(9_000))]))
    const fits = spans + ' '.repeat(MAX_EXPORT_BYTES - spans.length)
    expect((await post('/v1/traces', await packed(fits), mine(gzip))).json).toMatchObject({ taken: 1 })
    const answer = await post('/v1/traces', await packed(`${fits} `), mine(gzip))
    expect(answer.json).toMatchObject({
      error: { kind: 'payload_too_large', detail: { limit_bytes: MAX_EXPORT_BYTES } },
    })
  })

  it('that is damaged is refused', async () => {
    const answer = await post('/v1/traces', new Uint8Array([31, 139, 8, 0, 1, 2, 3]), mine(gzip))
    expect(answer).toMatchObject({ status: 400, json: { error: { detail: { field: 'content-encoding' } } } })
  })

  it('as protobuf is refused with what to set', async () => {
    const headers = { 'content-type': 'application/x-protobuf' }
    const answer = await post('/v1/traces', new Uint8Array([10, 0]), mine(headers))
    expect(answer).toMatchObject({ status: 415, json: { error: { kind: 'unsupported_media_type', retryable: false } } })
    expect(answer.text).toMatch(/encoding: json.*OTEL_EXPORTER_OTLP_PROTOCOL=http\/json/)
  })

  it.each([
    ['not JSON', '{"resourceSpans": [', ''],
    ['no list of resources', { resourceSpans: 'spans' }, 'resourceSpans'],
    ['a list', [], ''],
  ])('that is %s is refused, and not quoted', async (_, body, field) => {
    const answer = await post('/v1/traces', body, mine())
    expect(answer).toMatchObject({ status: 400, json: { error: { kind: 'invalid_request', detail: { field } } } })
  })

  it.each([{}, { resourceSpans: [] }, { resourceSpans: [{ scopeSpans: [{ spans: [7, null] }] }] }])(
    'without spans is taken: %j',
    async (body) => {
      expect((await post('/v1/traces', body, mine())).json).toEqual({
        taken: 0,
        matched: 0,
        not_taken: [],
        not_known: [],
        partialSuccess: {},
      })
    },
  )

  it('may have so many spans and not one more', async () => {
    const most = Array.from({ length: MOST_TOLD }, () => ({ name: 'other' }))
    const fits = await post('/v1/traces', exported(most), mine())
    expect(fits.json).toMatchObject({ not_taken: [{ reason: 'not_a_model_call', count: MOST_TOLD }] })
    const answer = await post('/v1/traces', exported([...most, {}]), mine())
    expect(answer.json).toMatchObject({ error: { kind: 'payload_too_large', detail: { field: 'resourceSpans' } } })
  })

  it('needs a key, and one that may only read does not do', async () => {
    expect((await post('/v1/traces', exported([]), { key: null })).status).toBe(401)
    const read = await post(`/accounts/${id}/keys`, { access: 'read' }, { key: ADMIN })
    expect((await post('/v1/traces', exported([]), { key: String(read.json['key']) })).status).toBe(403)
  })

  it('keeps nothing of the prompts in it', async () => {
    const lines: unknown[] = []
    for (const level of ['log', 'info', 'warn', 'error'] as const)
      vi.spyOn(console, level).mockImplementation((...said) => void lines.push(said))
    const secret = 'the ferryman knows the tide'
    const given = { ...claude(9_000), 'gen_ai.input.messages': secret, 'gen_ai.agent.name': secret }
    const answer = await post('/v1/traces', exported([span(given)]), mine())
    const [counted, metrics] = [await get('/stats?by=name,provider,model', mine()), await get('/metrics', mine())]
    expect(answer.text + JSON.stringify(lines) + counted.text + metrics.text).not.toContain('ferryman')
    expect(answer.json).toMatchObject({ taken: 1 })
  })
})
