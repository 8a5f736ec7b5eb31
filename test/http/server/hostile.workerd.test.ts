import { beforeEach, describe, expect, it } from 'vitest'
import { errorAnswer } from '../../../src/contract/failure-answer.ts'
import { FAILURES } from '../../../src/contract/failure.ts'
import { anthropicBody, get, longText, newAccount, pick, post, received, useLab, warmOf } from '../support.ts'
import type { Answer } from '../support.ts'

const world = useLab()
let account: { id: string; key: string }

beforeEach(async () => {
  account = await newAccount()
})

const warm = (body: unknown, headers: Record<string, string> = {}): Promise<Answer> =>
  post('/warm', body, { key: account.key, headers })

/** Expects a refusal of the documented shape and status, and an unchanged account. */
async function expectRefusal(answer: Answer, kind: keyof typeof FAILURES, field?: string): Promise<void> {
  const { error } = errorAnswer.parse(answer.json)
  expect({ kind: error.kind, field: error.detail?.['field'] }).toEqual({ kind, field })
  expect(answer.status).toBe(FAILURES[kind].status)
  expect(error.request_id).toBe(answer.headers.get('x-request-id'))
  expect(received(world.lab)).toEqual([])
  expect(pick(await get('/prefixes', { key: account.key }), 'data')).toEqual([])
}

describe('a body that cannot be read', () => {
  const lone = String.fromCharCode(92) + 'ud800'
  const cases: [string, string, string][] = [
    ['is not JSON', '{"provider":', ''],
    ['is empty', '', ''],
    ['is JavaScript', "{provider:'anthropic'}", ''],
    ['has a trailing comma', '{"provider":"anthropic",}', ''],
    ['has a comment', '{"provider":"anthropic"/* x */}', ''],
    ['has two values', '{} {}', ''],
    ['is an array', '[]', ''],
    ['is a string', '"warm"', ''],
    ['is null', 'null', ''],
    ['has a duplicate key of ours', '{"provider":"anthropic","provider":"openai"}', 'provider'],
    [
      'has a duplicate key deep in the provider’s',
      '{"provider":"anthropic","request":{"tools":[{"a":1,"a":2}]}}',
      'request.tools[0].a',
    ],
    ['has a lone surrogate', `{"provider":"anthropic","request":{"system":"${lone}"}}`, 'request.system'],
    ['has a lone surrogate in a key', `{"provider":"anthropic","request":{"${lone}":1}}`, 'request'],
    ['is nested too deeply', `{"provider":"anthropic","request":${'['.repeat(200)}${']'.repeat(200)}}`, 'request'],
  ]
  it.each(cases)('%s', async (_, body, field) => {
    const answer = await warm(body)
    const { error } = errorAnswer.parse(answer.json)
    expect(error.kind).toBe('invalid_request')
    expect(String(error.detail?.['field'] ?? '')).toContain(field)
    expect(received(world.lab)).toEqual([])
    expect(pick(await get('/prefixes', { key: account.key }), 'data')).toEqual([])
  })

  it('is not UTF-8', async () => {
    const bytes = new Uint8Array([...new TextEncoder().encode('{"provider":"'), 0xff, 0xfe, 0x22, 0x7d])
    await expectRefusal(await warm(bytes), 'invalid_request', '')
  })

  it.each(['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x', 'application/xml'])(
    'comes as %s',
    async (type) => {
      await expectRefusal(await warm('{}', { 'content-type': type }), 'invalid_request', 'content-type')
    },
  )

  it('comes compressed', async () => {
    await expectRefusal(await warm('{}', { 'content-encoding': 'gzip' }), 'invalid_request', 'content-encoding')
  })
})

describe('a field of the envelope', () => {
  const request = { model: 'claude-opus-5', system: 'x' }
  const base = { provider: 'anthropic', request }
  const templated = { provider: 'anthropic', model: 'claude-opus-5', system: 'Serve {{ tenant }}.' }
  const window = { days: 'mon-fri', from: '06:00', to: '23:00', time_zone: 'Europe/Berlin' }
  const cases: [Record<string, unknown>, keyof typeof FAILURES, string][] = [
    [{ request }, 'invalid_request', 'provider'],
    [{ ...base, provider: 7 }, 'invalid_request', 'provider'],
    [{ ...base, provider: 'acme' }, 'invalid_request', 'provider'],
    [{ provider: 'anthropic' }, 'invalid_request', 'request'],
    [{ ...base, request: 'text' }, 'invalid_request', 'request'],
    [{ ...base, request: null }, 'invalid_request', 'request'],
    [{ ...base, request: [] }, 'invalid_request', 'request'],
    [{ ...base, request: { model: 5, system: 'x' } }, 'invalid_request', 'request.model'],
    [{ ...base, request: { system: 'x' } }, 'invalid_request', 'request.model'],
    [{ ...base, request: { ...request, tools: 'none' } }, 'invalid_request', 'request.tools'],
    [{ ...base, request: { ...request, messages: [7] } }, 'invalid_request', 'request.messages[0]'],
    [{ ...base, reqest: {} }, 'invalid_request', 'reqest'],
    [{ ...base, name: '' }, 'invalid_request', 'name'],
    [{ ...base, name: 'a\nb' }, 'invalid_request', 'name'],
    [{ ...base, name: 'x'.repeat(201) }, 'invalid_request', 'name'],
    [{ ...base, model: 'other' }, 'invalid_request', 'model'],
    [{ ...base, system: 'x' }, 'invalid_request', 'system'],
    [{ provider: 'anthropic', system: 'x' }, 'invalid_request', 'model'],
    [
      { provider: 'anthropic', model: 'claude-opus-5', messages: [{ role: 'system', content: 'x' }] },
      'invalid_request',
      'messages[0].role',
    ],
    [
      { provider: 'anthropic', model: 'claude-opus-5', tools: [{ name: 'a', schema: {} }] },
      'invalid_request',
      'tools[0].schema',
    ],
    [{ ...base, credential: 'mine' }, 'invalid_request', 'credential'],
    [{ ...base, background: 'yes' }, 'invalid_request', 'background'],
    [{ ...base, max_output_tokens: 1.5 }, 'invalid_request', 'max_output_tokens'],
    [{ ...base, max_output_tokens: -1 }, 'invalid_request', 'max_output_tokens'],
    [{ ...base, vars: { tenant: 'acme' } }, 'invalid_request', 'vars.tenant'],
    [{ ...base, vars: ['acme'] }, 'invalid_request', 'vars'],
    [{ ...base, request: { ...request, system: 'Serve {{ tenant }}.' }, vars: {} }, 'invalid_request', 'vars.tenant'],
    [{ ...base, tool_filter: { allow: ['x'] } }, 'invalid_request', 'tool_filter.allow[0]'],
    [{ ...base, tool_filter: { only: [] } }, 'invalid_request', 'tool_filter.only'],
    [{ ...templated, vars: {} }, 'invalid_request', 'vars.tenant'],
    [{ ...templated, vars: { tenant: 'acme', tone: 'dry' } }, 'invalid_request', 'vars.tone'],
    [{ ...templated, vars: ['acme'] }, 'invalid_request', 'vars'],
    [
      { ...templated, vars: { tenant: 'acme' }, tool_filter: { allow: ['x'] } },
      'invalid_request',
      'tool_filter.allow[0]',
    ],
    [{ ...templated, vars: { tenant: 'acme' }, tool_filter: { only: [] } }, 'invalid_request', 'tool_filter.only'],
    [{ ...templated, system: '{{ "a" | date }}', vars: {} }, 'invalid_request', 'system'],
    [{ ...base, gateway: 'pool' }, 'invalid_request', 'provider'],
    [{ ...base, gateway: 7 }, 'invalid_request', 'gateway'],
    [{ ...base, model_preference: 'x' }, 'invalid_request', 'model_preference'],
    [{ ...base, model_preference: 7 }, 'invalid_request', 'model_preference'],
    [{ ...base, cache: 'off' }, 'invalid_request', 'cache.mode'],
    [{ ...base, cache: { mode: 'disabled' } }, 'invalid_request', 'cache.mode'],
    [{ ...base, cache: { mode: 'sometimes' } }, 'invalid_request', 'cache.mode'],
    [{ ...base, cache: { ttl: '5m' } }, 'invalid_request', 'cache.ttl'],
    [{ ...base, cache: { retention: 'for ever' } }, 'invalid_request', 'cache.retention'],
    [{ ...base, cache: { strategy: {} } }, 'invalid_request', 'cache.strategy'],
    [{ ...base, cache: { strategy: { last: -1 } } }, 'invalid_request', 'cache.strategy.last'],
    [
      { ...base, cache: { mode: 'required', strategy: { explicit: [{ item_end: 9 }] } } },
      'invalid_request',
      'cache.strategy.explicit[0]',
    ],
    [{ ...base, cache: { breakpoints: 0 } }, 'invalid_request', 'cache.breakpoints'],
    [{ ...base, cache: { mode: 'required', handle: 'cachedContents/a' } }, 'unsupported', 'cache.handle'],
    [{ ...base, keep_warm: 'always' }, 'invalid_request', 'keep_warm'],
    [{ ...base, keep_warm: { plan: 'forever' } }, 'invalid_request', 'keep_warm.plan'],
    [{ ...base, keep_warm: { plan: { probes: -1 } } }, 'invalid_request', 'keep_warm.plan.probes'],
    [{ ...base, keep_warm: { plan: { probes: 1, more: 1 } } }, 'invalid_request', 'keep_warm.plan.more'],
    [{ ...base, keep_warm: { until: 'tomorrow' } }, 'invalid_request', 'keep_warm.until'],
    [{ ...base, keep_warm: { until: '2026-11-21T10:00:00' } }, 'invalid_request', 'keep_warm.until'],
    [{ ...base, keep_warm: { idle_timeout: '6 hours' } }, 'invalid_request', 'keep_warm.idle_timeout'],
    [{ ...base, keep_warm: { idle_timeout: -5 } }, 'invalid_request', 'keep_warm.idle_timeout'],
    [
      { ...base, keep_warm: { windows: [{ ...window, days: 'weekdays' }] } },
      'invalid_request',
      'keep_warm.windows[0].days',
    ],
    [
      { ...base, keep_warm: { windows: [{ ...window, from: '6:00' }] } },
      'invalid_request',
      'keep_warm.windows[0].from',
    ],
    [{ ...base, keep_warm: { windows: [{ ...window, to: '24:30' }] } }, 'invalid_request', 'keep_warm.windows[0].to'],
    [
      { ...base, keep_warm: { windows: [{ ...window, time_zone: 'Mars/Base' }] } },
      'invalid_request',
      'keep_warm.windows[0].time_zone',
    ],
    [{ ...base, keep_warm: { budget_usd_per_day: -1 } }, 'invalid_request', 'keep_warm.budget_usd_per_day'],
    [{ ...base, keep_warm: { budget_usd_per_day: '1' } }, 'invalid_request', 'keep_warm.budget_usd_per_day'],
    [{ ...base, keep_warm: { latency_value_usd: -1 } }, 'invalid_request', 'keep_warm.latency_value_usd'],
    [{ ...base, keep_warm: { holdout: 1.01 } }, 'invalid_request', 'keep_warm.holdout'],
    [{ ...base, keep_warm: { holdout: -0.01 } }, 'invalid_request', 'keep_warm.holdout'],
  ]
  it.each(cases)('is refused by name: %j', async (body, kind, field) => {
    await expectRefusal(await warm(body), kind, field)
  })

  it('is not shown when its name may be text of a prompt', async () => {
    const answer = await warm({ ...base, 'My secret prompt, pasted as a key': 1 })
    expect(answer.status).toBe(400)
    expect(answer.text).not.toContain('secret')
    const proto = await warm('{"provider":"anthropic","__proto__":{"request":{}}}')
    await expectRefusal(proto, 'invalid_request', '__proto__')
  })
})

describe('limits', () => {
  const MiB = 1024 * 1024
  /** A warm whose body has this many bytes: the prefix itself is small, white space fills it. */
  const sized = (bytes: number): string => {
    const text = JSON.stringify(warmOf(anthropicBody(longText(40))))
    return text + ' '.repeat(bytes - Buffer.byteLength(text))
  }

  it('takes a body of 8 MiB and not one byte more', async () => {
    expect((await warm(sized(8 * MiB + 1))).json).toMatchObject({
      error: { kind: 'payload_too_large', detail: { limit_bytes: 8 * MiB } },
    })
    expect((await warm(sized(8 * MiB))).status).toBe(200)
  })

  it('counts a body without a declared length while it arrives', async () => {
    const chunk = new TextEncoder().encode(' '.repeat(MiB))
    let sent = 0
    const stream = new ReadableStream<Uint8Array>({
      pull(controller) {
        if (sent++ < 12) controller.enqueue(chunk)
        else controller.close()
      },
    })
    await expectRefusal(await warm(stream), 'payload_too_large', '')
  })

  it('refuses 30 MB', async () => {
    await expectRefusal(await warm(' '.repeat(30_000_000)), 'payload_too_large', '')
  })

  it('refuses a body of very many short values before it takes memory', async () => {
    const answer = await warm(`{"provider":"anthropic","request":{"messages":[${'1,'.repeat(3_900_000)}1]}}`)
    await expectRefusal(answer, 'payload_too_large', 'request')
  })

  /** A body whose stored prefix has this many bytes. */
  const prefixOf = (bytes: number): string => {
    const head = '{"model":"claude-opus-5","max_tokens":9,"system":[{"type":"text","text":"'
    const tail = '","cache_control":{"type":"ephemeral"}}],"messages":[]}'
    return `${head}${'a'.repeat(bytes - head.length - tail.length)}${tail}`
  }

  it('takes a prefix of 4 MiB and not one byte more', async () => {
    const body = (bytes: number): string => `{"provider":"anthropic","request":${prefixOf(bytes)},"dry_run":true}`
    await expectRefusal(await warm(body(4 * MiB + 1)), 'payload_too_large', 'request')
    const answer = await warm(body(4 * MiB))
    expect(answer.json).toMatchObject({ dry_run: true })
    // Text behind the prefix does not count.
    const volatile = prefixOf(4 * MiB).replace(
      '"messages":[]',
      `"messages":[{"role":"user","content":"${'b'.repeat(3 * MiB)}"}]`,
    )
    expect((await warm(`{"provider":"anthropic","request":${volatile},"dry_run":true}`)).status).toBe(200)
  })

  it('takes 2,048 tools and not one more, in both forms', async () => {
    const native = (count: number) => ({
      ...anthropicBody(),
      tools: Array.from({ length: count }, (_, index) => ({ name: `tool_${index}`, input_schema: { type: 'object' } })),
    })
    const neutral = (count: number) => ({
      provider: 'anthropic',
      model: 'claude-opus-5',
      dry_run: true,
      tools: Array.from({ length: count }, (_, index) => ({ name: `tool_${index}`, parameters: { type: 'object' } })),
    })
    await expectRefusal(await warm(warmOf(native(2_049), { dry_run: true })), 'invalid_request', 'request.tools')
    await expectRefusal(await warm(warmOf(native(10_000))), 'invalid_request', 'request.tools')
    await expectRefusal(await warm(neutral(2_049)), 'invalid_request', 'tools')
    expect((await warm(warmOf(native(2_048), { dry_run: true }))).status).toBe(200)
    expect((await warm(neutral(2_048))).status).toBe(200)
  })
})

describe('the provider’s own members', () => {
  it('pass through, known to us or not', async () => {
    const body = { ...anthropicBody(), a_member_of_tomorrow: { on: true }, metadata: { user_id: 'u' } }
    const answer = await warm(warmOf(body, { dry_run: true }))
    expect(answer.status).toBe(200)
  })
})

describe('a query', () => {
  it.each([
    ['/prefixes?limit=0', 'limit'],
    ['/prefixes?limit=201', 'limit'],
    ['/prefixes?limit=ten', 'limit'],
    ['/prefixes?state=tepid', 'state'],
    ['/prefixes?stopped=perhaps', 'stopped'],
    ['/prefixes?needs_somebody=me', 'needs_somebody'],
    ['/prefixes?cursor=%7B', 'cursor'],
    ['/prefixes?cursor=bm90IG91cnM', 'cursor'],
    ['/prefixes?colour=red', 'colour'],
    ['/prefixes?__proto__=1', '__proto__'],
    ['/prefixes?limit=1&limit=2', 'limit'],
  ])('%s is refused by name', async (path, field) => {
    const answer = await get(path, { key: account.key })
    expect(answer.json).toMatchObject({ error: { kind: 'invalid_request', detail: { field } } })
  })
})
