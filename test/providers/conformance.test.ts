import { describe, expect, test } from 'vitest'
import { fingerprint } from '../../src/core/prompt/fingerprint.ts'
import { judgeRequired } from '../../src/core/cache/required.ts'
import { readReceipt } from '../../src/core/cache/read-receipt.ts'
import { costOf } from '../../src/core/model/price.ts'
import { callerHeaders } from '../../src/providers/prefix/caller-headers.ts'
import { cards, dialectOf, modelFacts } from '../../src/providers/registry.ts'
import { FACT_NAMES } from '../../src/providers/card.ts'
import type { Card } from '../../src/providers/card.ts'
import { accessTo, placeOf } from '../../src/runtime/env.ts'
import type { Vars } from '../../src/runtime/env.ts'
import {
  bodyFor,
  CREDENTIAL,
  fixtureOf,
  jsonAnswer,
  prepare,
  SCHEMA,
  sendProbe,
  sentences,
  streamAnswer,
  SYSTEM,
} from './conforming.ts'
import type { Answering } from './conforming.ts'
import { addressIn, refusal, VARIABLES } from './prepared.ts'
import type { PreparedPrefix } from '../../src/providers/dialect.ts'

/** What holds of every provider, whatever it is. A card without documented answers fails here before it can mislead anyone. */

const print = (card: Card, { model, cacheKey, canonical }: PreparedPrefix): string =>
  fingerprint({ provider: card.id, model, credentialScope: 'default:1', cacheKey, canonical })

test.each(cards.map(({ id }) => id))('%s has documented answers', (id) => {
  expect(fixtureOf(id), `test/providers/fixtures/${id}.json`).not.toBeNull()
})

const documented = cards.flatMap((card) => {
  const fixture = fixtureOf(card.id)
  return fixture === null ? [] : [[card.id, card, fixture] as const]
})

describe.each(documented)('%s', (_id, card, fixture) => {
  const { model, answers, errors } = fixture
  const dialect = dialectOf(card)
  const plain = bodyFor(card, model, 'Where is my order?', false)
  const prefix = prepare(card, model, plain)
  // Cohere's wire is only ever observed: what refuses it is tested, and nothing else of it is sent.
  const isSent = card.refusal === undefined || card.refusal.byDefault
  const probing = (answer: Answering, options: Parameters<typeof sendProbe>[3] = {}) =>
    sendProbe(card, prefix, answer, options)

  test('each fact has a source, a day, and a text or null', () => {
    expect(Object.keys(card.facts).toSorted()).toEqual([...FACT_NAMES].toSorted())
    for (const fact of [...Object.values(card.facts), card, fixture]) {
      expect(fact.source).not.toBe('')
      expect(fact.checked).toMatch(/^\d{4}-\d\d-\d\d$/)
    }
    for (const { says } of Object.values(card.facts)) expect(says).not.toBe('')
    expect(answers.length).toBeGreaterThan(0)
    // A file that forgets a refused credential tests nothing of it.
    expect(errors.some(({ kind }) => kind === 'provider_key_refused')).toBe(true)
  })

  test('one prefix has one fingerprint, whatever its spacing and the turn behind it', () => {
    for (const spaced of [false, true]) {
      for (const last of ['Where is my order?', 'Say "hello" {now}, [please]']) {
        expect(print(card, prepare(card, model, bodyFor(card, model, last, spaced)))).toBe(print(card, prefix))
      }
    }
    const other = plain.replace('1e2', '100')
    expect(print(card, prepare(card, model, other))).not.toBe(print(card, prefix))
    expect(print(card, prepare(card, model, plain.replace('policy', 'rules')))).not.toBe(print(card, prefix))
  })

  test.runIf(isSent)(
    'a probe carries the headers of real requests that the card names, and its own credential',
    async () => {
      const names = card.callerHeaders ?? []
      expect(names).toEqual(names.map((name) => name.toLowerCase()))
      const given = Object.fromEntries(names.map((name) => [name, `x-${name}`]))
      const { sent } = callerHeaders(card, given)
      const bare = (await probing(() => jsonAnswer(answers[0]!.body))).sent[0]!.headers
      const { headers } = (await probing(() => jsonAnswer(answers[0]!.body), { headers: sent })).sent[0]!
      for (const name of names) expect(headers.get(name)).toBe(`x-${name}`)
      // The SDK tells what is left of the time-out.
      const varies = [...names, 'x-stainless-timeout']
      for (const [name, value] of bare) if (!varies.includes(name)) expect(headers.get(name)).toBe(value)
      const own = card.auth.header === 'authorization-bearer' ? 'authorization' : card.auth.header
      expect(refusal(() => callerHeaders(card, { [own]: 'k' })).message).toContain('carries a credential')
    },
  )

  test.runIf(isSent)('a probe of what was written at another address is not sent', async () => {
    const vars = { ...VARIABLES, [card.secret]: CREDENTIAL } as unknown as Vars
    const place = placeOf(card, vars)
    const answered = await probing(() => jsonAnswer(answers[0]!.body), { place })
    expect(answered.outcome.kind).toBe('answered')
    const { outcome, sent } = await probing(() => jsonAnswer(answers[0]!.body), { place: 'another' })
    expect(sent).toEqual([])
    expect(outcome).toMatchObject({ kind: 'not_sent', why: 'the address of its provider has changed' })
  })

  test.runIf(isSent)('a probe says the prefix byte for byte, at the right address', async () => {
    const { outcome, sent } = await probing(() => jsonAnswer(answers[0]!.body))
    expect(sent).toHaveLength(1)
    const { url, body } = sent[0]!
    expect(url.href.startsWith(addressIn(card))).toBe(true)
    expect(url.protocol).toBe('https:')
    expect(body).toContain(SYSTEM)
    expect(body).toContain(SCHEMA)
    expect(body).not.toContain('Where is my order?')
    JSON.parse(body)
    expect(outcome.kind).toBe('answered')
  })

  test.runIf(isSent)('the credential stands in its own header and nowhere else', async () => {
    const { sent } = await probing(() => jsonAnswer(answers[0]!.body))
    const { url, headers, body } = sent[0]!
    const carrying = [...headers].filter(([, value]) => value.includes(CREDENTIAL))
    const { header = 'authorization', scheme = header === 'authorization' ? 'Bearer' : '' } = fixture
    expect(carrying).toEqual([[header, `${scheme} ${CREDENTIAL}`.trim()]])
    expect(url.href + body).not.toContain(CREDENTIAL)
  })

  test.runIf(isSent)(
    'a cache key goes where it belongs, is part of the fingerprint, or is said to do nothing',
    async () => {
      const keyed = prepare(card, model, plain, 'app-key-1')
      const { sent } = await sendProbe(card, keyed, () => jsonAnswer(answers[0]!.body))
      const { url, headers, body } = sent[0]!
      const [place, name] = fixture.key?.split(':') ?? []
      const root = JSON.parse(body) as Record<string, unknown>
      const inBody = Object.entries(root).filter(([, value]) => value === 'app-key-1')
      const inHeaders = [...headers].filter(([, value]) => value === 'app-key-1')
      expect(inBody).toEqual(place === 'body' ? [[name, 'app-key-1']] : [])
      expect(inHeaders).toEqual(place === 'header' ? [[name, 'app-key-1']] : [])
      expect(url.href).not.toContain('app-key-1')
      if (name === undefined) {
        expect(keyed.cacheKey).toBeNull()
        expect(keyed.advice.map(({ cause }) => cause)).toContain('key_has_no_effect')
        return
      }
      expect(keyed.cacheKey).toBe('app-key-1')
      expect(print(card, keyed)).not.toBe(print(card, prefix))
      if (place === 'body') {
        const own = prepare(card, model, bodyFor(card, model, 'x', false, `"${name}":"app-key-1",`))
        expect(print(card, own)).toBe(print(card, keyed))
      } else {
        expect(refusal(() => prepare(card, model, plain, 'line\nbreak')).detail).toMatchObject({ field: 'cache.key' })
      }
    },
  )

  test.each(answers.map((answer) => [answer.says, answer] as const))('reads %s', (_, { body, headers, usage }) => {
    const read = dialect.readAnswer(JSON.stringify(body), 'application/json', new Headers(headers))
    expect(read.usage).toMatchObject(usage)
    // Every token once.
    const { inputTokens, uncachedTokens, cacheReadTokens, cacheWriteTokens } = read.usage
    if (inputTokens !== null && uncachedTokens !== null) {
      expect(uncachedTokens + (cacheReadTokens ?? 0) + (cacheWriteTokens ?? 0)).toBe(inputTokens)
    }
    // The provider's own stays beside it.
    const own = JSON.stringify(read.rawUsage)
    for (const value of Object.values(usage)) {
      if (typeof value === 'number' && value !== inputTokens && value !== uncachedTokens && headers === undefined) {
        expect(own).toContain(String(value))
      }
    }
  })

  test.each(answers.filter(({ stream }) => stream !== undefined).map((answer) => [answer.says, answer] as const))(
    'a stream reads as the whole does: %s',
    (_, { body, stream, headers }) => {
      const text = (stream ?? [])
        .map((event) => `data: ${typeof event === 'string' ? event : JSON.stringify(event)}\r\n\r\n`)
        .join('')
      const whole = dialect.readAnswer(JSON.stringify(body), 'application/json', new Headers(headers))
      const streamed = dialect.readAnswer(text, 'text/event-stream', new Headers(headers))
      expect({ ...streamed.usage, reasoningTokens: null }).toEqual({ ...whole.usage, reasoningTokens: null })
      expect(streamed.model).toBe(whole.model)
      const cut = text.slice(0, text.lastIndexOf('data:'))
      expect(refusal(() => dialect.readAnswer(cut, 'text/event-stream')).kind).toBe('unreadable_answer')
    },
  )

  test('has a documented stream, where the format streams text', () => {
    expect(answers.some(({ stream }) => stream !== undefined)).toBe(card.dialect.id !== 'bedrock-converse')
  })

  test('the cost of an answer counts each token once, or is unknown', () => {
    const { price } = modelFacts(card, model, Date.UTC(2026, 10, 21))
    for (const { body, headers } of answers) {
      const { usage } = dialect.readAnswer(JSON.stringify(body), 'application/json', new Headers(headers))
      const cost = costOf(usage, price, prefix.retention)
      if (price === null || usage.inputTokens === null) expect(cost).toBeNull()
      else if (cost !== null) {
        const dearest = Math.max(price.inputNanosPerMTok, ...Object.values(price.cacheWriteNanosPerMTok))
        const most = (usage.inputTokens * dearest + (usage.outputTokens ?? 0) * price.outputNanosPerMTok) / 1e6
        expect(cost).toBeLessThanOrEqual(most + 5)
        if (dearest > 0) expect(cost).toBeGreaterThan(0)
      }
    }
  })

  test.runIf(isSent).each(errors.map((error) => [error.says, error] as const))(
    'understands %s, and repeats nothing of it',
    async (_, error) => {
      const { status, headers = {}, body } = error
      const { outcome } = await probing(() => jsonAnswer(body, { status, headers }))
      expect(outcome).toMatchObject({
        kind: 'failed',
        failure: { kind: error.kind },
        accepted: false,
        permanent: error.permanent,
        primitiveRefused: error.primitiveRefused ?? false,
        retryAfterMs: error.retryAfterMs ?? null,
      })
      if (outcome.kind !== 'failed') return
      expect(outcome.failure.detail?.['geo'] ?? false).toBe(error.geo ?? false)
      const told = JSON.stringify(outcome)
      for (const sentence of sentences(body)) expect(told).not.toContain(sentence)
    },
  )

  test.runIf(isSent)('its own usage object is kept beside the normalised one, of every documented answer', async () => {
    for (const { body, headers } of answers) {
      const { outcome } = await probing(() => jsonAnswer(body, { headers: headers ?? {} }))
      if (outcome.kind !== 'answered') expect.fail(outcome.kind)
      const { rawUsage } = dialect.readAnswer(JSON.stringify(body), 'application/json')
      expect(JSON.parse(outcome.rawUsage ?? 'null')).toEqual(rawUsage)
    }
  })

  test.runIf(isSent)('a required cache is not honoured by silence', async () => {
    const { writesReported } = modelFacts(card, model, Date.UTC(2026, 10, 21))
    const body = { ...(answers[0]!.body as object) } as Record<string, unknown>
    for (const name of ['usage', 'usageMetadata', 'timings']) delete body[name]
    const { outcome } = await probing(() => jsonAnswer(body))
    if (outcome.kind !== 'answered') expect.fail(outcome.kind)
    const { usage } = outcome
    const expectation = {
      purpose: 'write',
      writesReported,
      measuredTokens: null,
      everHit: false,
      readZeroInRow: 0,
    } as const
    const receipt = { ...readReceipt(usage, expectation), usage }
    const asked = { retention: prefix.retention, writesReported }
    // Where writes are reported, silence is an answer; elsewhere one more probe has to break it.
    expect(judgeRequired(receipt, { ...asked, checksLeft: 1 }).kind).toBe(writesReported ? 'broken' : 'check')
    expect(judgeRequired(receipt, { ...asked, checksLeft: 0 }).kind).toBe('broken')
  })

  describe.runIf(isSent)('an answer that is none', () => {
    const secret = 'words of the provider about sk-live-1'
    const whole = JSON.stringify(answers[0]!.body)
    const never = () => new Response(new ReadableStream({ start: (to) => to.enqueue(new TextEncoder().encode('{"')) }))
    const cases: [string, Answering, string, null | false][] = [
      ['a page of HTML', () => html(200), 'unreadable_answer', null],
      ['a page of HTML that says away', () => html(502), 'provider_unavailable', false],
      ['a gateway that waited in vain', () => html(504), 'provider_unavailable', null],
      ['a page of HTML that says wait', () => html(429), 'provider_limited', false],
      ['a page of HTML that says no', () => html(403), 'provider_key_refused', false],
      ['nothing', () => new Response(''), 'unreadable_answer', null],
      ['a truncated answer', () => new Response(whole.slice(0, -9)), 'unreadable_answer', null],
      ['another object', () => jsonAnswer({ message: secret }), 'unreadable_answer', null],
      ['a list', () => jsonAnswer([secret]), 'unreadable_answer', null],
      ['an error in a stream', () => streamAnswer([{ error: { message: secret } }]), 'unreadable_answer', null],
      ['one that never ends', never, 'provider_timeout', null],
      ['one that never begins', () => new Promise<Response>(() => {}), 'provider_timeout', null],
    ]
    function html(status: number): Response {
      return new Response(`<html><p>${secret}</p></html>`, { status, headers: { 'content-type': 'text/html' } })
    }

    test.each(cases)('%s', async (_, answer, kind, accepted) => {
      const { outcome } = await probing(answer, { timeoutMs: 40 })
      expect(outcome).toMatchObject({ kind: 'failed', failure: { kind }, accepted })
      expect(JSON.stringify(outcome)).not.toMatch(/words of|sk-live|<html/)
    })

    test('an answer without usage is unknown, and no miss', async () => {
      const body = JSON.parse(whole) as Record<string, unknown>
      for (const name of ['usage', 'usageMetadata', 'timings']) delete body[name]
      const { outcome } = await probing(() => jsonAnswer(body))
      expect(outcome).toMatchObject({ kind: 'answered', usage: { cacheReadTokens: null, cacheWriteTokens: null } })
    })
  })

  test('is called only with an address and a credential, and refused where its card says so', async () => {
    const without = accessTo(card, { [card.secret]: CREDENTIAL } as Vars)
    const names = [...card.baseUrl.matchAll(/\{(\w+)\}/g)].map(([, name]) => name)
    if (card.refusal !== undefined) expect(without.refusal?.kind).toBe(fixture.refused)
    else if (names.length === 0) expect(without.refusal).toBeNull()
    else {
      expect(without.refusal).toMatchObject({ kind: 'not_configured', detail: { variable: names[0] } })
      const vars = Object.fromEntries(Object.keys(VARIABLES).map((name) => [name, '']))
      const { outcome, sent } = await probing(() => jsonAnswer({}), { vars })
      expect(sent).toEqual([])
      expect(outcome).toMatchObject({ failure: { kind: 'not_configured' }, accepted: false, permanent: true })
    }
    expect(accessTo(card, {} as Vars).credential).toBeNull()
  })
})
