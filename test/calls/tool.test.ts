import { Webhook } from 'standardwebhooks'
import { describe, expect, it } from 'vitest'
import { callTool, signedHeaders, toolSecret, wrongToolUrl } from '../../src/calls/tool.ts'
import type { Vars } from '../../src/runtime/env.ts'

const VARS: Vars = { KEY_ENCRYPTION_SECRET: 'a secret of a deployment, long enough' }
const CALL = {
  url: 'https://tools.example/weather',
  id: 'bot_1-evt_1-0-0',
  body: '{"tool":"weather"}',
  sentAt: Date.now(),
  timeoutMs: 1_000,
  account: 'shop',
}

/** A network that answers by host and records the requests. */
function network(answers: Record<string, (request: Request) => Response | Promise<Response>>) {
  const asked: Request[] = []
  const fetch: typeof globalThis.fetch = async (input, init) => {
    const request = new Request(input, init)
    asked.push(request.clone())
    const answer = answers[new URL(request.url).host]
    if (answer === undefined) throw new TypeError('no such host')
    return answer(request)
  }
  return { asked, fetch }
}

const redirect = (to: string, status = 307) => new Response(null, { status, headers: { location: to } })

describe('a call of a tool', () => {
  it('is signed so that its receiver can verify it with the library of Standard Webhooks', async () => {
    const { asked, fetch } = network({ 'tools.example': () => new Response('rain') })
    expect(await callTool(CALL, VARS, fetch)).toEqual({ text: 'rain', isError: false })
    const [request] = asked
    const headers = Object.fromEntries(request?.headers ?? [])
    const body = (await request?.text()) ?? ''
    expect([request?.method, headers['webhook-id'], headers['idempotency-key']]).toEqual(['POST', CALL.id, CALL.id])
    expect(new Webhook(toolSecret('shop', VARS)).verify(body, headers)).toEqual({ tool: 'weather' })
    expect(() => new Webhook(toolSecret('other', VARS)).verify(body, headers)).toThrow('No matching signature')
    expect(() => new Webhook(toolSecret('shop', VARS)).verify(`${body} `, headers)).toThrow('No matching signature')
  })

  it('is signed with the previous secret too while it is set, and differently for each account', () => {
    const replaced = {
      KEY_ENCRYPTION_SECRET: 'the next secret',
      KEY_ENCRYPTION_SECRET_PREVIOUS: VARS.KEY_ENCRYPTION_SECRET ?? '',
    }
    const [next, former] = (signedHeaders(CALL, replaced)['webhook-signature'] ?? '').split(' ')
    expect(former).toBe(signedHeaders(CALL, VARS)['webhook-signature'])
    expect(next).not.toBe(former)
    expect(toolSecret('other', VARS)).not.toBe(toolSecret('shop', VARS))
    expect(() => toolSecret('shop', {})).toThrow('KEY_ENCRYPTION_SECRET')
  })

  it.each([
    ['an error', () => new Response('no such city', { status: 404 }), /404.*no such city/],
    ['a large answer', () => new Response('x'.repeat(70_000)), /larger than 65536 bytes/],
    ['a broken connection', () => Promise.reject(new TypeError('reset')), /could not be reached/],
    ['silence', () => new Promise<Response>(() => {}), /did not answer in time/],
    ['an answer without an end', () => new Response(new ReadableStream({ start: () => {} })), /did not answer in time/],
  ])('hands %s to the model', async (_, answer, words) => {
    const { fetch } = network({ 'tools.example': answer })
    const { text, isError } = await callTool({ ...CALL, timeoutMs: 30 }, VARS, fetch)
    expect([isError, text]).toEqual([true, expect.stringMatching(words)])
  })

  it('follows redirects with the same call, and within one time limit', async () => {
    const { asked, fetch } = network({
      'tools.example': ({ url }) =>
        url.endsWith('/weather') ? redirect('/v2') : redirect('https://more.example/', 308),
      'more.example': () => new Response('rain'),
    })
    expect(await callTool(CALL, VARS, fetch)).toEqual({ text: 'rain', isError: false })
    expect(asked.map(({ method, url }) => `${method} ${url}`)).toEqual([
      'POST https://tools.example/weather',
      'POST https://tools.example/v2',
      'POST https://more.example/',
    ])
  })

  it.each([
    'http://more.example/',
    'https://127.0.0.1/',
    'https://2130706433/',
    'https://0x7f.1/',
    'https://[::1]/',
    'https://[::ffff:10.0.0.1]/',
    'https://169.254.169.254/latest/meta-data',
    'https://metadata.internal/',
    'https://localhost./',
    'https://user:word@more.example/',
  ])('is not redirected to %s', async (to) => {
    const { asked, fetch } = network({ 'tools.example': () => redirect(to) })
    const { text, isError } = await callTool(CALL, VARS, fetch)
    expect([isError, text]).toEqual([true, expect.stringContaining('not allowed')])
    expect(asked).toHaveLength(1)
  })

  it('follows no endless redirects, and none that change the method', async () => {
    const round = network({ 'tools.example': () => redirect('/again') })
    expect((await callTool(CALL, VARS, round.fetch)).text).toContain('more than 3 times')
    const other = network({ 'tools.example': () => redirect('/other', 303) })
    expect((await callTool(CALL, VARS, other.fetch)).text).toContain('only 307 and 308')
    expect(other.asked).toHaveLength(1)
  })
})

describe('where a tool may be', () => {
  it('is a public https address; in development also the lab and what the developer names', () => {
    expect(wrongToolUrl('https://tools.example/x', VARS)).toBeNull()
    expect(wrongToolUrl('http://tools.example/x', VARS)).toContain('https')
    expect(wrongToolUrl('https://10.1.2.3/x', VARS)).toContain('public')
    const vars = { ...VARS, LAB_URL: 'http://localhost:8788', TOOL_ORIGINS: 'http://localhost:9000, http://[::1]:9001' }
    for (const url of ['http://localhost:8788/a', 'http://localhost:9000/b', 'http://[::1]:9001/c']) {
      expect(wrongToolUrl(url, { ...vars, ENVIRONMENT: 'development' })).toBeNull()
      expect(wrongToolUrl(url, vars)).toContain('https')
    }
    expect(wrongToolUrl('http://localhost:9002/', { ...vars, ENVIRONMENT: 'development' })).toContain('https')
  })
})
