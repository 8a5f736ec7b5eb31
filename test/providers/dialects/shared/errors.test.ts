import { describe, expect, test } from 'vitest'
import { takenDespite, usageDespite } from '../../../../src/providers/dialects/shared/errors.ts'
import { provider } from '../../prepared.ts'

const read = (id: string, status: number, body: unknown, headers: Record<string, string> = {}) =>
  provider(id).dialect.readError(status, new Headers(headers), typeof body === 'string' ? body : JSON.stringify(body))

const anthropic = (type: string, message = '') => ({ type: 'error', error: { type, message } })
const openai = (code: string | null, message = '', param: string | null = null, type = 'invalid_request_error') => ({
  error: { message, type, param, code },
})
const gemini = (code: number, status: string, message = '', details: unknown[] = []) => ({
  error: { code, message, status, details },
})

describe('a refusal whose words are known', () => {
  test.each([
    [
      'anthropic',
      anthropic('invalid_request_error', 'system.1: cache_control cannot be set for empty text blocks'),
      'request.system[1].cache_control: empty text cannot carry a marker.',
      'marker_on_empty_text',
    ],
    [
      'anthropic',
      anthropic(
        'invalid_request_error',
        'messages.2.content.0.text: cache_control cannot be set for empty text blocks',
      ),
      'request.messages[2].content[0].cache_control: empty text cannot carry a marker.',
      'marker_on_empty_text',
    ],
    [
      'anthropic',
      anthropic(
        'invalid_request_error',
        'messages.2.content.0.tool_result.content.1.text: cache_control cannot be set for empty text blocks',
      ),
      'request.messages[2].content[0].content[1].cache_control: empty text cannot carry a marker.',
      'marker_on_empty_text',
    ],
    [
      'anthropic',
      anthropic('invalid_request_error', 'betas: Extra inputs are not permitted'),
      'request.betas: the provider knows no such member.',
      'unknown_member',
    ],
    [
      'anthropic',
      anthropic('invalid_request_error', "system.0.cache_control.ephemeral.ttl: Input should be '5m' or '1h'"),
      'request.system[0].cache_control.ttl: the provider does not know this lifetime.',
      'marker_ttl',
    ],
    [
      'anthropic',
      anthropic('invalid_request_error', 'system.0.cache_control.ephemeral.scope: Extra inputs are not permitted'),
      'request.system[0].cache_control: the provider does not know a member of it.',
      'unknown_member',
    ],
    [
      'anthropic',
      anthropic(
        'invalid_request_error',
        '"thinking.type.enabled" is not supported for this model. Use "thinking.type.adaptive".',
      ),
      'The provider rejected the request: this model takes no budget for thinking.',
      'thinking_not_taken',
    ],
    [
      'openai',
      openai(
        'unknown_parameter',
        "Unknown parameter: 'input[0].content[0].cache_control'.",
        'input[0].content[0].cache_control',
      ),
      'request.input[0].content[0].cache_control: the provider knows no such member.',
      'unknown_member',
    ],
    [
      'openai',
      openai(
        'unsupported_parameter',
        "Unsupported parameter: 'temperature' is not supported with this model.",
        'temperature',
      ),
      'request.temperature: this model takes no sampling parameter.',
      'sampling_not_taken',
    ],
  ])('%s says %j', (id, body, message, cause) => {
    const reading = read(id, 400, body)
    expect(reading).toMatchObject({ permanent: true, primitiveRefused: false, failure: { message, detail: { cause } } })
  })

  test('repeats no name that a caller may have chosen', () => {
    const said = 'tools.0.input_schema.properties.customer_4711: Extra inputs are not permitted'
    const { failure } = read('anthropic', 400, anthropic('invalid_request_error', said))
    expect(failure.message).toBe('request.tools[0].input_schema: the provider does not know a member of it.')
    expect(JSON.stringify(failure)).not.toContain('4711')
  })
})

describe('the meaning of an error', () => {
  test.each([
    ['anthropic', 401, anthropic('authentication_error'), 'provider_key_refused', true],
    ['anthropic', 403, anthropic('permission_error'), 'provider_key_refused', true],
    ['anthropic', 402, anthropic('billing_error'), 'provider_limited', true],
    ['anthropic', 400, anthropic('billing_error'), 'provider_limited', true],
    ['anthropic', 400, anthropic('invalid_request_error', 'Your credit balance is too low'), 'provider_limited', true],
    ['anthropic', 429, anthropic('rate_limit_error'), 'provider_limited', false],
    ['anthropic', 529, anthropic('overloaded_error'), 'provider_unavailable', false],
    ['anthropic', 500, anthropic('api_error'), 'provider_unavailable', false],
    ['anthropic', 404, anthropic('not_found_error'), 'provider_rejected', true],
    ['anthropic', 413, anthropic('request_too_large'), 'provider_rejected', true],
    ['openai', 401, openai('invalid_api_key'), 'provider_key_refused', true],
    ['openai', 429, openai('rate_limit_exceeded'), 'provider_limited', false],
    ['openai', 429, openai('insufficient_quota'), 'provider_limited', true],
    ['openai', 404, openai('model_not_found'), 'provider_rejected', true],
    ['openai', 503, '<html>', 'provider_unavailable', false],
    ['openai', 302, '', 'provider_rejected', true],
    ['openai-chat', 400, openai(null, 'bad', 'messages'), 'provider_rejected', true],
    [
      'gemini',
      400,
      gemini(400, 'INVALID_ARGUMENT', 'API key not valid', [{ reason: 'API_KEY_INVALID' }]),
      'provider_key_refused',
      true,
    ],
    ['gemini', 403, gemini(403, 'PERMISSION_DENIED'), 'provider_key_refused', true],
    ['gemini', 429, gemini(429, 'RESOURCE_EXHAUSTED'), 'provider_limited', false],
    [
      'gemini',
      429,
      gemini(429, 'RESOURCE_EXHAUSTED', '', [
        { violations: [{ quotaId: 'TotalCachedContentStorageTokensPerModelFreeTier' }] },
      ]),
      'provider_limited',
      true,
    ],
    ['gemini', 503, gemini(503, 'UNAVAILABLE'), 'provider_unavailable', false],
  ])('%s %d %j', (id, status, body, kind, permanent) => {
    const reading = read(id, status, body)
    expect(reading.failure.kind).toBe(kind)
    expect(reading).toMatchObject({ permanent, primitiveRefused: false })
    expect(reading.failure.detail?.['status']).toBe(status)
  })

  test.each([
    ['anthropic', 403, anthropic('forbidden', 'Request not allowed')],
    ['openai', 403, openai('unsupported_country_region_territory', 'Country, region, or territory not supported')],
    ['gemini', 400, gemini(400, 'FAILED_PRECONDITION', 'User location is not supported for the API use.')],
  ])('%s refuses the region of the call', (id, status, body) => {
    const reading = read(id, status, body)
    expect(reading.failure).toMatchObject({ kind: 'provider_rejected', detail: { geo: true } })
    expect(reading.permanent).toBe(false)
  })

  test('a managed cache that is gone is no refused key', () => {
    const reading = read(
      'gemini',
      403,
      gemini(403, 'PERMISSION_DENIED', 'CachedContent not found (or permission denied)'),
    )
    expect(reading.failure).toMatchObject({ kind: 'provider_rejected', detail: { handle_gone: true } })
  })
})

describe('a refused primitive lets the next one be tried', () => {
  test.each([
    ['anthropic', 400, anthropic('invalid_request_error', 'max_tokens: must be greater than or equal to 1')],
    ['anthropic', 422, { error: { message: 'max_tokens must be positive' } }],
    [
      'openai',
      400,
      openai('unknown_parameter', "Unknown parameter: 'prompt_cache_options.prewarm'.", 'prompt_cache_options.prewarm'),
    ],
    ['openai', 400, openai('integer_below_min_value', '', 'max_output_tokens')],
    ['openai', 400, openai('missing_required_parameter', '', 'input')],
    ['openai', 400, openai(null, 'prompt_cache_retention is not supported on this model')],
    ['openai-chat', 400, openai('unsupported_parameter', '', 'max_tokens')],
    ['gemini', 400, gemini(400, 'INVALID_ARGUMENT', 'max_output_tokens must be at least 8')],
  ])('%s %d %j', (id, status, body) => {
    expect(read(id, status, body)).toMatchObject({
      primitiveRefused: true,
      permanent: false,
      failure: { kind: 'provider_rejected' },
    })
  })

  test('another error is no refused primitive', () => {
    expect(
      read('anthropic', 400, anthropic('invalid_request_error', 'messages: roles must alternate')).primitiveRefused,
    ).toBe(false)
    expect(read('openai', 400, openai(null, 'Invalid schema', 'tools[0]')).primitiveRefused).toBe(false)
  })
})

describe('the wait that a provider asks for', () => {
  const wait = (headers: Record<string, string>, body: unknown = {}, status = 429) =>
    read('gemini', status, body, headers).retryAfterMs
  test.each([
    [{}, null],
    [{ 'retry-after': '7' }, 7000],
    [{ 'retry-after': '0' }, 0],
    [{ 'retry-after': '1.5' }, 1500],
    [{ 'retry-after-ms': '250', 'retry-after': '7' }, 250],
    [{ 'retry-after': 'Sat, 21 Nov 2026 10:00:30 GMT', date: 'Sat, 21 Nov 2026 10:00:00 GMT' }, 30_000],
    [{ 'retry-after': 'Sat, 21 Nov 2026 09:00:00 GMT', date: 'Sat, 21 Nov 2026 10:00:00 GMT' }, 0],
    [{ 'retry-after': 'Sat, 21 Nov 2026 10:00:30 GMT' }, null],
    [{ 'retry-after': 'soon' }, null],
    [{ 'retry-after': '-5' }, null],
    [{ 'retry-after': '99999999' }, 86_400_000],
    [{ 'x-should-retry': 'false' }, 60_000],
    [{ 'x-should-retry': 'false', 'retry-after': '2' }, 2000],
    [{ 'x-should-retry': 'true' }, null],
  ])('%j is %s ms', (headers, expected) => {
    expect(wait(headers as Record<string, string>)).toBe(expected)
  })

  test('Google names the wait in the body', () => {
    const body = gemini(429, 'RESOURCE_EXHAUSTED', '', [
      { '@type': 'x' },
      { '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay: '37.5s' },
    ])
    expect(wait({}, body)).toBe(37_500)
    expect(wait({}, [body])).toBe(37_500)
  })

  test('an overloaded provider may name a wait as well', () => {
    expect(read('anthropic', 529, anthropic('overloaded_error'), { 'retry-after': '3' }).retryAfterMs).toBe(3000)
  })
})

test("the provider's own words are not passed on", () => {
  const prompt = 'You are the assistant of Secret Corp, sk-live-12345'
  for (const id of ['anthropic', 'openai', 'openai-chat', 'gemini']) {
    for (const status of [400, 401, 403, 404, 429, 500]) {
      const body = { error: { message: prompt, type: prompt, code: prompt, status: prompt, param: prompt } }
      expect(JSON.stringify(read(id, status, body))).not.toMatch(/secret|sk-live/i)
    }
  }
  expect(read('anthropic', 404, anthropic('not_found_error', prompt)).failure.detail).toEqual({
    status: 404,
    type: 'not_found_error',
    cause: 'unknown_model',
  })
})

describe('an error that something in front of the provider wrote', () => {
  const own = { server: 'cloudflare', 'cf-ray': '8f0-FRA', 'content-type': 'text/plain; charset=UTF-8' }
  const taken = (status: number, text: string, headers: Record<string, string> = own) =>
    takenDespite(status, new Headers(headers), text)

  test.each([
    [521, 'error code: 521'],
    [523, 'error code: 523\n'],
    [530, 'error code: 1016'],
  ])('is free where the platform itself says that the request never left: %i', (status, text) => {
    expect(taken(status, text)).toBe(false)
  })

  test.each([
    ['the origin answered nonsense', 520, 'error code: 520', own],
    ['the origin was silent', 522, 'error code: 522', own],
    ['the origin was too slow', 524, 'error code: 524', own],
    ['a gateway waited in vain', 504, '', {}],
    ['the edge of the provider wrote a page', 521, '<html>Web server is down</html>', own],
    ['the edge of the provider has headers of its zone', 521, 'error code: 521', { ...own, 'set-cookie': '__cf_bm=1' }],
    ['the edge of the provider names a request', 523, 'error code: 523', { ...own, 'x-request-id': 'r' }],
    ['another server copies the words', 521, 'error code: 521', { server: 'nginx' }],
    ['the words are of another status', 521, 'error code: 523', own],
    ['the edge says nothing of a name', 530, 'error code: 1101', own],
  ])('is unknown where it may have left: %s', (_, status, text, headers) => {
    expect(taken(status, text, headers as Record<string, string>)).toBeNull()
  })

  test('a provider that answers with an error has done nothing', () => {
    expect([400, 429, 500, 503, 529].map((status) => taken(status, '{}', {}))).toEqual(Array(5).fill(false))
  })
})

describe('the counts of an error answer', () => {
  test.each([
    ['beside the error', { error: { message: 'x' }, usage: { prompt_tokens: 9 } }, { prompt_tokens: 9 }],
    ['in the error', { error: { usage: { input_tokens: 9 } } }, { input_tokens: 9 }],
    ['in the form of Google', { usageMetadata: { promptTokenCount: 9 } }, { promptTokenCount: 9 }],
    ['in the unfinished answer', { response: { usage: { input_tokens: 9 } } }, { input_tokens: 9 }],
  ])('are found %s', (_, body, counts) => {
    expect(usageDespite(JSON.stringify(body))).toEqual(counts)
  })

  test.each(['<html>', '', '[]', '{"usage":null}', '{"usage":{}}', '{"usage":{"prompt_tokens":0,"details":{"a":0}}}'])(
    'are none in %s',
    (text) => {
      expect(usageDespite(text)).toBeNull()
    },
  )
})
