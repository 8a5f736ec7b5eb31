/**
 * What Claude Code asks of a gateway. Source: code.claude.com/docs/en/llm-gateway-protocol, "API formats", checked 2026-12-01: the paths of three
 * formats, and what must reach the provider unchanged in each.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { rawWorkerd } from '../support/raw-workerd.ts'
import type { RawWorkerd } from '../support/raw-workerd.ts'
import { answerOf, caller, provider } from '../support/wire.ts'
import type { Arrived, Provider } from '../support/wire.ts'

const KEY = 'pilotlight-dev'

let worker: RawWorkerd
let upstream: Provider
let answer: Buffer

beforeAll(async () => {
  upstream = await provider((call: Arrived) => void call.whole().then(() => call.socket.end(answer)))
  worker = await rawWorkerd({
    ENVIRONMENT: 'development',
    ADMIN_KEY: 'pilotlight-admin',
    DEV_ACCOUNT_KEY: KEY,
    LAB_URL: upstream.url,
    LAB_PROVIDERS: 'anthropic,bedrock,vertex',
  })
})

afterAll(async () => {
  await worker.stop()
  await upstream.close()
})

beforeEach(() => {
  upstream.calls.length = 0
  answer = answerOf('200 OK', ['content-type: application/json'], '{"type":"message"}')
})

async function sent(path: string, body: string, headers: readonly string[]): Promise<string> {
  const head = [
    `POST ${path} HTTP/1.1`,
    'Host: pilotlight.test',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
    `X-Pilotlight-Key: ${KEY}`,
    'Content-Type: application/json',
    ...headers,
  ].join('\r\n')
  const client = caller(worker.base, `${head}\r\n\r\n${body}`)
  await client.ended
  return client.bytes().toString('latin1')
}

const BETAS = 'anthropic-beta: interleaved-thinking-2025-05-14,context-management-2025-06-27,a-beta-of-tomorrow'
const VERSION = 'anthropic-version: 2023-06-01'
const OTHERS = [
  'X-Claude-Code-Session-Id: 6c1f',
  'x-app: cli',
  'User-Agent: claude-cli/9.9.9 (external, cli)',
  'x-a-header-of-tomorrow: 1',
]
/** Members that gateways have dropped or written anew, in an order and a spelling that none would write. */
const BODY =
  '{"stream":false, "context_management":{"edits":[]},"system":[{"type":"text","text":"x-anthropic-billing-header: cc_version=1; cch=0a1b2;"},{"cache_control":{"ttl":"1h","type":"ephemeral"},"text":"\\u0041","type":"text"}],"max_tokens":1e1,"unknown_of_tomorrow":[1.0],"model":"claude-opus-4-8","messages":[]}'

describe.each([
  ['Anthropic Messages', '/via/anthropic/v1/messages?beta=true', '/anthropic/v1/messages?beta=true'],
  ['Anthropic Messages, counting', '/via/anthropic/v1/messages/count_tokens', '/anthropic/v1/messages/count_tokens'],
  [
    'Bedrock InvokeModel',
    '/via/bedrock/model/eu.anthropic.claude-opus-4-8-v1%3A0/invoke',
    '/model/eu.anthropic.claude-opus-4-8-v1%3A0/invoke',
  ],
  [
    'Bedrock InvokeModel, streamed',
    '/via/bedrock/model/eu.anthropic.claude-opus-4-8-v1%3A0/invoke-with-response-stream',
    '/model/eu.anthropic.claude-opus-4-8-v1%3A0/invoke-with-response-stream',
  ],
])('%s', (_, path, expected) => {
  test('reaches the provider with its headers and every byte of its body', async () => {
    const got = await sent(path, BODY, ['Authorization: Bearer sk-own', BETAS, VERSION, ...OTHERS])
    expect(got.split('\r\n')[0]).toBe('HTTP/1.1 200 OK')
    const [call] = upstream.calls
    const [line = '', ...lines] = (call?.head() ?? '').split('\r\n')
    expect(line.split(' ')[1]?.endsWith(expected)).toBe(true)
    const arrived = lines.map((one) => one.toLowerCase())
    for (const one of [BETAS, VERSION, ...OTHERS]) expect(arrived).toContain(one.toLowerCase())
    expect(call?.body().toString()).toBe(BODY)
  })
})

test.each([
  ['400 Bad Request', 'invalid_request_error'],
  ['401 Unauthorized', 'authentication_error'],
  ['404 Not Found', 'not_found_error'],
  ['413 Payload Too Large', 'request_too_large'],
  ['429 Too Many Requests', 'rate_limit_error'],
  ['529 Overloaded', 'overloaded_error'],
])('a refusal with %s comes back as it is, with what says when to try again', async (status, type) => {
  const body = `{"type":"error","error":{"type":"${type}","message":"m"},"request_id":"req_1"}`
  const headers = ['content-type: application/json', 'retry-after: 3', 'x-should-retry: true', 'request-id: req_1']
  answer = answerOf(status, headers, body)
  const got = await sent('/via/anthropic/v1/messages', BODY, ['x-api-key: sk-own', VERSION])
  expect(got.split('\r\n')[0]).toBe(`HTTP/1.1 ${status}`)
  for (const one of headers) expect(got.toLowerCase()).toContain(`\r\n${one}\r\n`)
  expect(got.endsWith(body)).toBe(true)
  expect(upstream.calls).toHaveLength(1)
})

test('the events of a stream come back byte for byte, also an error in the middle', async () => {
  const stream = [
    'event: message_start\ndata: {"type":"message_start","message":{"usage":{"input_tokens":1}}}\n\n',
    'event: ping\ndata: {"type": "ping"}\n\n',
    'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}\n\n',
  ].join('')
  answer = answerOf('200 OK', ['content-type: text/event-stream; charset=utf-8'], stream)
  const got = await sent('/via/anthropic/v1/messages', BODY, ['Authorization: Bearer sk-ant-oat01-x', BETAS, VERSION])
  expect(got.endsWith(stream)).toBe(true)
  expect(got).toContain('\r\nx-pilotlight: observed; ')
})
