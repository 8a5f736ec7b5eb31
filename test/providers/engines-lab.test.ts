import { describe, expect, test } from 'vitest'
import { createTransport } from '../../src/providers/transport/send.ts'
import type { Sent } from '../../src/providers/transport/send.ts'
import { caller, tokens } from '../lab/caller.ts'
import { provider } from './prepared.ts'

/** Probes against the lab's Bedrock and its engines: what one leaves, the next reads, and so does the real request. */

const RULES = tokens(9000, 'rules')
const chat = {
  model: 'tiny',
  messages: [
    { role: 'system', content: RULES },
    { role: 'user', content: 'What does rule seven say?' },
  ],
}
const converse = {
  system: [{ text: RULES }, { cachePoint: { type: 'default' } }],
  messages: [{ role: 'user', content: [{ text: 'What does rule seven say?' }] }],
}

const SCENES: [id: string, base: string, body: Record<string, unknown>, model?: string][] = [
  ['bedrock', 'http://lab.test/bedrock', converse, 'us.anthropic.claude-opus-4-8'],
  ['llama-cpp', 'http://lab.test/llama-cpp/v1', chat],
  ['vllm', 'http://lab.test/vllm/v1', chat],
  ['sglang', 'http://lab.test/sglang/v1', chat],
]

function setUp([id, base, body, model]: (typeof SCENES)[number]) {
  const settings = { reportsCached: true, slots: 2, hostCacheTokens: 0 }
  const lab = caller({ engines: { 'llama-cpp': settings, vllm: settings, sglang: settings } })
  const { card, dialect, prepare } = provider(id)
  const transport = createTransport({ fetch: async (url, init) => lab.lab.fetch(new Request(url, init)) })
  const prefix = prepare(body, undefined, model)
  const options = { primitive: 'one_token', retention: prefix.retention } as const
  const send = (path: string, text: string) =>
    transport.send({ card, baseUrl: base, credential: 'key-a', request: { path, body: text }, timeoutMs: 10_000 })
  const probe = () => {
    const request = dialect.probe(prefix, options)
    return send(request.path, request.body)
  }
  const real = () => send(dialect.probe(prefix, options).path, JSON.stringify(body))
  const usage = (sent: Sent) => {
    if (sent.kind !== 'answered' || sent.status !== 200) throw new Error(`refused: ${JSON.stringify(sent)}`)
    return dialect.readAnswer(sent.text, sent.headers.get('content-type') ?? '').usage
  }
  return { lab, dialect, prefix, probe, real, usage }
}

describe.each(SCENES)('%s', (...scene) => {
  test('the second probe and the real request read what the first left', async () => {
    const { probe, real, usage } = setUp(scene)
    expect(usage(await probe()).cacheReadTokens ?? 0).toBe(0)
    const again = usage(await probe())
    expect(again.cacheReadTokens).toBeGreaterThan(8900)
    expect(again.outputTokens).toBe(1)
    const { cacheReadTokens, uncachedTokens, cacheWriteTokens, inputTokens } = usage(await real())
    expect(cacheReadTokens).toBeGreaterThan(8900)
    expect((uncachedTokens ?? 0) + (cacheReadTokens ?? 0) + (cacheWriteTokens ?? 0)).toBe(inputTokens)
  })

  test('missing usage and missing cached counts are unknown', async () => {
    const { lab, probe, usage } = setUp(scene)
    await probe()
    await lab.fault({ kind: 'missing_usage', times: 1 })
    expect(usage(await probe())).toMatchObject({ cacheReadTokens: null, inputTokens: null })
    await lab.fault({ kind: 'missing_cached', times: 1 })
    expect(usage(await probe()).cacheReadTokens).toBeNull()
  })

  test.each([
    ['rate_limited', 'provider_limited'],
    ['overloaded', 'provider_unavailable'],
    ['server_error', 'provider_unavailable'],
  ])('%s is recognised', async (kind, expected) => {
    const { lab, dialect, probe } = setUp(scene)
    await lab.fault({ kind, times: 1 })
    const sent = await probe()
    if (sent.kind !== 'answered') throw new Error('the lab did not answer')
    const { failure, permanent } = dialect.readError(sent.status, sent.headers, sent.text)
    expect([failure.kind, permanent]).toEqual([expected, false])
  })
})
