import { describe, expect, it, vi } from 'vitest'
import { prefixAnswer, requestAnswer, warmthAnswer } from '../../../src/contract/prefix.ts'
import { warmAnswer } from '../../../src/contract/warm.ts'
import { anthropicBody, get, longText, pick, post, received, useLab, warm, warmedId } from '../support.ts'

const world = useLab()

describe('a foreground warm', () => {
  it('writes once, answers the receipt, and shows the same when asked later', async () => {
    const warmed = await warm(anthropicBody(), { name: 'tents', keep_warm: { plan: 'always' } })
    expect(warmed.status).toBe(200)
    expect(() => warmAnswer.parse(warmed.json)).not.toThrow()
    expect(warmed.json).toMatchObject({
      created: true,
      warmth: { state: 'warm' },
      receipt: { kind: 'written', primitive: 'zero_output', provider_response: { type: 'message' } },
      plan: { plan: 'always', retention: '5m', stopped: null },
    })
    const id = pick(warmed, 'id')
    const [prefix, warmth, list] = [
      await get(`/prefixes/${id}`),
      await get(`/prefixes/${id}/warmth`),
      await get('/prefixes?name=tents'),
    ]
    expect(prefixAnswer.parse(prefix.json)).toMatchObject({ id, name: 'tents', probes: 1, hits: 0, misses: 0 })
    expect(pick(prefix, 'cost_usd')).toBe(pick(warmed, 'receipt', 'cost_usd'))
    expect(warmthAnswer.parse(warmth.json)).toMatchObject({ state: 'warm', last_receipt: { kind: 'written' } })
    expect(pick(list, 'data')).toEqual([prefix.json])
    expect(received(world.lab)).toHaveLength(1)
  })

  it('recognizes the same content under other spacing, and reads what it wrote', async () => {
    const body = anthropicBody()
    const first = await warm(body)
    const spaced = `{ "provider" : "anthropic",\n "keep_warm":{"plan":"off"}, "request":\n${JSON.stringify(body, null, 3)} }`
    const second = await post('/warm', spaced)
    expect(second.json).toMatchObject({ id: first.json['id'], created: false, receipt: { kind: 'full' } })
    // What is stored, and shown, is the first caller's text.
    const shown = await get(`/prefixes/${pick(first, 'id')}/request`)
    expect(pick(shown, 'body')).toContain('{"model":"claude-opus-5","max_tokens":512')
  })

  it('says that a known prefix keeps the retention it was registered at', async () => {
    const body = anthropicBody()
    await warm(body)
    const again = await warm(body, { cache: { retention: '1h' } })
    expect(pick(again, 'plan', 'retention')).toBe('5m')
    expect(pick(again, 'advice', 0, 'cause')).toBe('retention_kept')
  })

  it('keeps the bytes of the body: member order, long numbers and escapes', async () => {
    const system = `[{"type":"text","text":${JSON.stringify(longText())},"cache_control":{"type":"ephemeral"}}]`
    const tools =
      '[{"name":"b","input_schema":{"type":"object","properties":{"2":{"maximum":1.00e3,"minimum":12345678901234567890},"1":{"description":"\\u00e9\\/"}}}}]'
    const request = `{ "tools":${tools} , "system":${system},"model":"claude-opus-5","max_tokens":9,\n"messages":[{"role":"user","content":"x"}],"metadata":{"user_id":"\\u0061"}}`
    const warmed = await post('/warm', `{"provider":"anthropic","keep_warm":{"plan":"off"},"request":${request}}`)
    expect(warmed.status).toBe(200)
    const shown = await get(`/prefixes/${pick(warmed, 'id')}/request`)
    expect(() => requestAnswer.parse(shown.json)).not.toThrow()
    const body = String(pick(shown, 'body'))
    for (const span of [`"tools":${tools}`, `"system":${system}`, '"metadata":{"user_id":"\\u0061"}']) {
      expect(body).toContain(span)
      expect(received(world.lab)[0]?.body).toContain(span)
    }
    // The inlined form is the same text, not a re-serialisation of it.
    expect(shown.text.endsWith(`"request":${body}}`)).toBe(true)
    expect(pick(shown, 'prefix_ends_at', 'path')).toBe('system[0]')
    const end = Number(pick(shown, 'prefix_ends_at', 'byte'))
    expect(Buffer.from(body).subarray(0, end).toString()).toMatch(/"cache_control":\{"type":"ephemeral"\}\}$/)
  })

  it('throws the provider’s failure with its status, and keeps the prefix', async () => {
    world.lab.faults.add({ kind: 'insufficient_quota', times: 1 })
    const failed = await warm()
    expect(failed.status).toBeGreaterThanOrEqual(500)
    const id = pick(failed, 'error', 'detail', 'prefix_id')
    expect((await get(`/prefixes/${id}`)).json).toMatchObject({ id, warmth: { state: 'unknown' } })
    expect((await get(`/prefixes/${id}`)).json['last_failure']).toMatchObject({ kind: pick(failed, 'error', 'kind') })
  })
})

describe('in the other wire formats', () => {
  const text = longText(300)
  const bodies: [string, unknown, Record<string, unknown>][] = [
    ['openai', { model: 'gpt-5.6-sol', instructions: text, input: 'hello' }, {}],
    [
      'openai-chat',
      {
        model: 'gpt-5.6-sol',
        messages: [
          { role: 'developer', content: text },
          { role: 'user', content: 'hi' },
        ],
      },
      {},
    ],
    [
      'gemini',
      { systemInstruction: { parts: [{ text }] }, contents: [{ role: 'user', parts: [{ text: 'hi' }] }] },
      { model: 'gemini-2.5-flash' },
    ],
  ]
  it.each(bodies)('warms %s', async (provider, request, more) => {
    const warmed = await post('/warm', { provider, request, keep_warm: { plan: 'off' }, ...more })
    expect(warmed.text).toContain('"receipt":{')
    expect(warmed.status).toBe(200)
    expect(() => warmAnswer.parse(warmed.json)).not.toThrow()
  })

  it('sends the template filled in and the tools that pass the filter, and nothing else', async () => {
    const rest = longText()
    const system = `You serve {{ tenant }}.\n{% if polite %}Be kind.{% endif %}\n${rest}`
    const tools = ['find', 'book', 'delete'].map((name) => ({ name, parameters: { type: 'object' } }))
    const form = { provider: 'anthropic', model: 'claude-opus-5', system, tools }
    const warmed = await post('/warm', {
      ...form,
      vars: { tenant: 'acme', polite: true },
      tool_filter: { deny: ['delete'] },
    })
    expect(warmed.json).toMatchObject({ receipt: { kind: 'written' } })
    const sent = JSON.parse(received(world.lab)[0]?.body ?? '') as { tools: unknown; system: [{ text: string }] }
    expect(sent.tools).toMatchObject([{ name: 'find' }, { name: 'book' }])
    expect(sent.system[0].text).toBe(`You serve acme.\nBe kind.\n${rest}`)

    const other = await post('/warm', {
      ...form,
      vars: { tenant: 'globex', polite: true },
      tool_filter: { deny: ['delete'] },
    })
    expect(other.json).toMatchObject({ created: true })
    expect(other.json['fingerprint']).not.toBe(warmed.json['fingerprint'])
  })

  it('takes the neutral form, and keeps the bytes of its schemas', async () => {
    const schema = '{"type":"object", "properties":{"10":{"type":"string"},"9":{"type":"number","maximum":1.0}}}'
    const warmed = await post(
      '/warm',
      `{"provider":"anthropic","model":"claude-opus-5","system":${JSON.stringify(longText())},"keep_warm":{"plan":"off"},
        "tools":[{"name":"find","description":"Finds.","parameters":${schema}}],"messages":[{"role":"user","content":"Always the same"}]}`,
    )
    expect(warmed.json).toMatchObject({ receipt: { kind: 'written' } })
    const shown = await get(`/prefixes/${pick(warmed, 'id')}/request`)
    expect(pick(shown, 'body')).toContain(`"input_schema":${schema}`)
    expect(pick(shown, 'prefix_ends_at', 'path')).toBe('messages[0].content[0]')
  })
})

describe('required caching', () => {
  it('fails when the provider did not cache', async () => {
    world.lab.faults.add({ kind: 'no_write' })
    const answer = await warm(anthropicBody(), { cache: { mode: 'required' } })
    expect(answer.status).toBe(424)
    expect(answer.json).toMatchObject({ error: { kind: 'cache_not_honoured' } })
  })

  it('refuses a short prefix only where the most tokens that it can have are below the minimum', async () => {
    const short = anthropicBody('Five words stand right here.')
    expect((await warm(short)).json).toMatchObject({
      error: { kind: 'prefix_too_short', detail: { field: 'request', minimum_tokens: 512 } },
    })
    // Some 700 bytes, each of which may be a token: only the provider knows.
    const doubtful = anthropicBody(`Doubtful. ${'7 '.repeat(340)}`)
    expect((await warm(doubtful)).status).toBe(200)
  })
})

const beta = { 'anthropic-beta': 'context-1m-2025-08-07' }

/** Headers of the calls that the provider was sent, oldest first. */
function sent(name: string): (string | null)[] {
  return vi.mocked(globalThis.fetch).mock.calls.map(([, init]) => new Headers(init?.headers).get(name))
}

describe('headers of real requests', () => {
  it('are sent with every probe, beside the stored credential', async () => {
    const warmed = await warm(anthropicBody(), { headers: beta })
    expect(pick(warmed, 'receipt', 'kind')).toBe('written')
    const id = pick(warmed, 'id')
    expect((await post(`/prefixes/${id}/warm`)).status).toBe(200) // from what was stored
    expect(sent('anthropic-beta')).toEqual([beta['anthropic-beta'], beta['anthropic-beta']])
    expect(sent('x-api-key')).toEqual(['lab', 'lab'])
    const shown = requestAnswer.parse((await get(`/prefixes/${id}/request`)).json)
    expect(shown.headers).toEqual({ 'anthropic-version': '2023-06-01', ...beta })
    expect(world.lab.transcript.list().every(({ status }) => status === 200)).toBe(true)
  })

  it('make another prefix of the same body, whatever their spelling and order', async () => {
    const request = anthropicBody()
    const id = async (headers: object) => await warmedId(request, { dry_run: true, ...headers })
    const plain = await id({})
    const two = await id({ headers: { 'anthropic-beta': 'a,b' } })
    expect(await id({ headers: {} })).toBe(plain)
    expect(two).not.toBe(plain)
    expect(await id({ headers: { 'Anthropic-Beta': 'b, a' } })).toBe(two)
  })

  it('are needed to recognise a real request', async () => {
    const request = anthropicBody()
    const warmed = await warm(request, { headers: beta })
    const one = {
      provider: 'anthropic',
      request,
      usage: { input_tokens: 5, cache_read_input_tokens: 3_000, cache_creation_input_tokens: 0, output_tokens: 3 },
      started_at: new Date().toISOString(),
    }
    const answer = await post('/observations', [{ ...one, headers: beta }, one])
    expect(pick(answer, 'data', 0)).toEqual({ prefix_id: pick(warmed, 'id'), matched: true })
    expect(pick(answer, 'data', 1, 'matched')).toBe(false)
  })

  it.each([
    [{ 'x-trace': '1' }, 'headers.x-trace'],
    [{ Authorization: 'Bearer sk-secret' }, 'headers.Authorization'],
    [{ 'anthropic-beta': 'a\nb' }, 'headers.anthropic-beta'],
    ['a', 'headers'],
  ])('%j is refused by its name, and nothing is sent', async (headers, field) => {
    const answer = await warm(anthropicBody(), { headers })
    expect(answer.json).toMatchObject({ error: { kind: 'invalid_request', detail: { field } } })
    expect(answer.text).not.toContain('sk-secret')
    expect(sent('anthropic-beta')).toEqual([])
  })

  it('are listed with the provider that takes them', async () => {
    const { json } = await get('/providers')
    const listed = json['data'] as { id: string; caller_headers: string[] }[]
    const of = (id: string) => listed.find((one) => one.id === id)?.caller_headers
    expect([of('anthropic'), of('groq')]).toEqual([['anthropic-beta', 'anthropic-version'], []])
  })
})
