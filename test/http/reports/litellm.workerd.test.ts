import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { statsAnswer } from '../../../src/contract/stats.ts'
import { MOST_TOLD, toldAnswer } from '../../../src/contract/told.ts'
import { HOUR_MS } from '../../../src/core/time/time.ts'
import { ADMIN, anthropicBody, call, get, longText, newAccount, pick, post, useLab, warm } from '../support.ts'
import type { CallOptions } from '../support.ts'

useLab()
const noon = Date.UTC(2032, 2, 9, 12, 30)
let key = ''

beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['Date'] })
  vi.setSystemTime(noon)
  const made = await newAccount()
  key = made.key
  await call('PATCH', `/accounts/${made.id}`, { allowed_secrets: ['ANTHROPIC_API_KEY'] }, { key: ADMIN })
})
afterEach(() => {
  vi.useRealTimers()
})
const mine = (): CallOptions => ({ key })

let made = 0
/** A StandardLoggingPayload, as docs.litellm.ai/docs/proxy/logging_spec has it. Times are seconds. */
function payload(read: number, more: Record<string, unknown> = {}) {
  made++
  const details = { cached_tokens: read, cache_creation_tokens: 0 }
  return {
    id: `chatcmpl-${made}`,
    trace_id: 'trace',
    call_type: 'acompletion',
    cache_hit: null,
    stream: true,
    status: 'success',
    custom_llm_provider: 'anthropic',
    model: 'claude-sonnet-4-5',
    model_group: 'claude',
    total_tokens: 10_012,
    prompt_tokens: 10_000,
    completion_tokens: 12,
    startTime: noon / 1_000 - 2.5,
    completionStartTime: noon / 1_000 - 2,
    endTime: noon / 1_000,
    metadata: {
      usage_object: { prompt_tokens: 10_000, prompt_tokens_details: details, cache_read_input_tokens: read },
      requester_metadata: {},
    },
    messages: [{ role: 'user', content: 'the ferryman knows the tide' }],
    ...more,
  }
}
const named = (read: number, pilotlight: Record<string, string>) => {
  const one = payload(read)
  return { ...one, metadata: { ...one.metadata, requester_metadata: pilotlight } }
}
const send = (body: unknown) => post('/observations/litellm', body, mine())
async function taken(body: unknown) {
  const answer = await send(body)
  expect([answer.status, answer.text]).toEqual([200, expect.any(String)])
  return toldAnswer.parse(answer.json)
}
const stats = async (by: string) => statsAnswer.parse((await get(`/stats?by=${by}`, mine())).json)

describe('POST /observations/litellm', () => {
  it.each([
    ['json_array', (all: object[]) => all],
    ['ndjson', (all: object[]) => `${all.map((one) => JSON.stringify(one)).join('\n')}\n`],
  ])('takes %s', async (_, form) => {
    expect(await taken(form([payload(9_000), payload(0)]))).toEqual({
      taken: 2,
      matched: 0,
      not_taken: [],
      not_known: [{ reason: 'no_prefix', count: 2 }],
    })
    expect((await stats('provider,model')).data).toMatchObject([
      {
        provider: 'anthropic',
        model: 'claude-sonnet-4-5',
        hits: 1,
        misses: 1,
        input_tokens: 20_000,
        read_tokens: 9_000,
      },
    ])
  })

  it('takes single', async () => {
    expect(await taken(payload(9_000))).toMatchObject({ taken: 1 })
  })

  it.each(['pilotlight_prefix', 'pilotlight_name'])("a caller's metadata names the prefix by %s", async (member) => {
    const registered = await warm(
      { ...anthropicBody(longText()), model: 'claude-sonnet-4-5' },
      { name: 'harbour', keep_warm: { plan: 'off' } },
      mine(),
    )
    const id = String(pick(registered, 'id'))
    const given = { [member]: member === 'pilotlight_prefix' ? id : 'harbour' }
    expect(await taken([named(9_900, given), named(0, given)])).toMatchObject({ taken: 2, matched: 2, not_known: [] })
    expect((await get(`/prefixes/${id}`, mine())).json).toMatchObject({ hits: 1, misses: 1 })
  })

  it('leaves out answers of its own cache, failures, other calls and duplicates, and says so', async () => {
    const one = payload(9_000)
    const answer = await taken([
      payload(9_000, { cache_hit: true }),
      payload(0, { status: 'failure' }),
      payload(0, { call_type: 'aembedding' }),
      one,
      one,
      payload(0, { id: undefined }),
      payload(0, { startTime: 'soon' }),
      payload(0, { prompt_tokens: -1 }),
      payload(0, { startTime: (noon - 25 * HOUR_MS) / 1_000 }),
      'text',
    ])
    expect(answer.taken).toBe(1)
    expect(answer.not_taken).toEqual([
      { reason: 'own_cache', count: 1 },
      { reason: 'failed', count: 1 },
      { reason: 'not_a_model_call', count: 1 },
      { reason: 'no_id', count: 1 },
      { reason: 'bad_time', count: 1, field: 'startTime' },
      { reason: 'bad_count', count: 1, field: 'prompt_tokens' },
      { reason: 'too_old', count: 1 },
      { reason: 'unreadable', count: 1 },
      { reason: 'duplicate', count: 1 },
    ])
    expect(await taken([one])).toMatchObject({ taken: 0, not_taken: [{ reason: 'duplicate', count: 1 }] })
    expect((await stats('provider')).totals.requests).toBe(1)
  })

  it('a line that is no JSON is counted as such; the others are taken', async () => {
    expect(await taken(`${JSON.stringify(payload(0))}\n{"id":\n`)).toMatchObject({
      taken: 1,
      not_taken: [{ reason: 'unreadable', count: 1 }],
    })
  })

  it.each(['no JSON at all', '"text"', '7'])('refuses %s, and does not quote it', async (body) => {
    const answer = await send(body)
    expect(answer).toMatchObject({ status: 400, json: { error: { kind: 'invalid_request' } } })
    expect(answer.text).not.toContain('no JSON at all')
  })

  it('may have so many calls and not one more', async () => {
    const most = Array.from({ length: MOST_TOLD }, () => 7)
    expect(await taken(most)).toMatchObject({ not_taken: [{ reason: 'unreadable', count: MOST_TOLD }] })
    expect((await send([...most, 7])).status).toBe(413)
  })
})
