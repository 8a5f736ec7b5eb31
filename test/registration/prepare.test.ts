import { describe, expect, it } from 'vitest'
import { readFailure } from '../../src/contract/failure.ts'
import { warmBody } from '../../src/contract/warm.ts'
import { noTemplateWork } from '../../src/core/prompt/template.ts'
import { prepareWarm, registrationOf, reshaped } from '../../src/registration/prepare.ts'
import { parseBody, WARM_RAW } from '../../src/registration/json-body.ts'
import { unpack } from '../../src/runtime/bytes.ts'
import { withMarkers } from '../../src/providers/prefix/with-markers.ts'
import { NOON } from '../support/sample.ts'

const long = 'Answer from the policy. '.repeat(600)
const prepare = (body: unknown, options = {}) =>
  prepareWarm(parseBody(JSON.stringify(body), warmBody, WARM_RAW), NOON, options)

function refusal(body: unknown): [kind: string, field: unknown] {
  try {
    prepare(body)
  } catch (thrown) {
    const failure = readFailure(thrown)
    if (failure !== null) return [failure.kind, failure.detail?.['field']]
    throw thrown
  }
  return ['none', null]
}

const request = { model: 'claude-opus-5', max_tokens: 9, system: long, messages: [{ role: 'user', content: 'Hello' }] }
const anthropic = { provider: 'anthropic', request }

describe('a body with several mistakes', () => {
  // Each step repairs the mistake that was told before it, and keeps all that follow.
  const neutral = { provider: 'acme', vars: { unused: 1 }, cache: 'off', headers: { 'x-trace': '1' } }
  const steps: [string, Record<string, unknown>, string, string][] = [
    ['a field of a pool', { ...neutral, provider: undefined, gateway: 'chat' }, 'unsupported', 'gateway'],
    ['a missing provider', { ...neutral, provider: undefined }, 'invalid_request', 'provider'],
    ['an unknown provider', neutral, 'invalid_request', 'provider'],
    ['a disabled cache', { ...neutral, provider: 'anthropic' }, 'invalid_request', 'cache.mode'],
    ['no content', { ...neutral, provider: 'anthropic', cache: 'auto' }, 'invalid_request', 'request'],
    ['no model', { ...neutral, provider: 'anthropic', cache: 'auto', system: 'S' }, 'invalid_request', 'model'],
    [
      'an unused variable',
      { ...neutral, provider: 'anthropic', cache: 'auto', system: 'S', model: 'claude-opus-5' },
      'invalid_request',
      'vars.unused',
    ],
    [
      'a prefix that is too short',
      { provider: 'anthropic', system: 'S', model: 'claude-opus-5', headers: neutral.headers },
      'prefix_too_short',
      'request',
    ],
    [
      'a header that probes cannot carry',
      { provider: 'anthropic', system: long, model: 'claude-opus-5', headers: neutral.headers },
      'invalid_request',
      'headers.x-trace',
    ],
  ]
  it.each(steps)('is refused for %s first', (_, body, kind, field) => {
    expect(refusal(body)).toEqual([kind, field])
  })

  it('is refused for the fields beside request before the provider', () => {
    expect(refusal({ ...anthropic, provider: 'acme', system: 'S' })).toEqual(['invalid_request', 'system'])
  })
})

describe('the neutral form where the model lacks the retention', () => {
  const nova = (retention: string) =>
    prepare({ provider: 'bedrock', model: 'amazon.nova-pro-v1:0', system: long.trim(), cache: { retention } })

  it.each(['1h', 'extended', 'default', '5m'])('carries markers at the one in force, asked for %s', (retention) => {
    const { card, prefix, registration } = nova(retention)
    expect(prefix.retention).toBe('5m')
    expect(prefix.text).toContain('{"cachePoint":{"type":"default"}}')
    expect(withMarkers(card, prefix.text, prefix.retention)).toBeNull()
    const isOffered = retention === 'default' || retention === '5m'
    expect(registration.advice.map(({ cause }) => cause)).toEqual(isOffered ? [] : ['retention_not_offered'])
  })
})

describe('a preparation', () => {
  it('stores the text that it was cut to, with a fingerprint that a plan does not change', () => {
    const one = prepare(anthropic)
    const other = prepare({ ...anthropic, keep_warm: { plan: 'off' }, name: 'policy' })
    expect(unpack(registrationOf(one).body)).toBe(one.prefix.text)
    expect(other.registration.fingerprint).toBe(one.registration.fingerprint)
    expect([one.registration.keepWarm, other.registration.keepWarm]).toMatchObject([null, { plan: 'off' }])
  })

  it('has another fingerprint for another credential, address or header', () => {
    const prints = [
      prepare(anthropic),
      prepare(anthropic, { credential: { name: 'team', generation: 1 } }),
      prepare(anthropic, { credential: { name: 'team', generation: 2 } }),
      prepare(anthropic, { placeOf: () => 'elsewhere' }),
      prepare({ ...anthropic, headers: { 'anthropic-beta': 'a' } }),
    ].map(({ registration }) => registration.fingerprint)
    expect(new Set(prints).size).toBe(prints.length)
  })

  it('requires the cache only where the body names the mode, and says null where it names none', () => {
    const required = (cache?: unknown) => prepare({ ...anthropic, cache }).registration.required
    expect([required(), required('auto'), required({ retention: '1h' })]).toEqual([null, null, null])
    expect([required({ mode: 'required' }), required({ mode: 'best_effort' })]).toEqual([true, false])
  })

  it('takes a short prefix where nothing will be sent', () => {
    const short = { provider: 'anthropic', model: 'claude-opus-5', system: 'Be kind.' }
    expect(refusal(short)[0]).toBe('prefix_too_short')
    expect(prepare(short, { anySize: true }).prefix.text).toContain('Be kind.')
  })

  it('keeps its fingerprint and counts its bytes when it gets another body', () => {
    const one = prepare(anthropic)
    const text = one.prefix.text.replace('Answer', 'Reply')
    const next = reshaped(one, { ...one.prefix, text }, [])
    expect(next.registration).toMatchObject({
      fingerprint: one.registration.fingerprint,
      bodyBytes: Buffer.byteLength(text),
      advice: [],
    })
  })
})

describe('what one request may compute', () => {
  const template = (text: string) => ({ ...anthropic, request: { ...request, system: text }, vars: { a: 'rye' } })

  it('templates of several bodies share their tags and steps', () => {
    const templateWork = noTemplateWork()
    const once = template('{{ a }} '.repeat(1_500))
    prepare(once, { templateWork })
    prepare(once, { templateWork })
    expect(() => prepare(once, { templateWork })).toThrow(/templates of one request have more than 8000 tags/)
    expect(() => prepare(once)).not.toThrow()
  })

  it('templates of several bodies share what they print', () => {
    const templateWork = noTemplateWork()
    const big = template(`{% for b in (1..30) %}{{ a }}${'x'.repeat(100_000)}{% endfor %}`)
    prepare(big, { templateWork })
    prepare(big, { templateWork })
    expect(() => prepare(big, { templateWork })).toThrow(/becomes longer than/)
  })

  it('a body with more than 1,000 members at its top is refused', () => {
    const members = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, n) => [`k${n}`, n]))
    expect(refusal({ ...anthropic, request: { ...request, ...members(1_001) } })).toEqual([
      'invalid_request',
      'request',
    ])
    expect(refusal({ ...anthropic, request: { ...request, ...members(900) } })).toEqual(['none', null])
  })
})
