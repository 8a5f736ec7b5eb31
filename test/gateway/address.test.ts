import { describe, expect, test } from 'vitest'
import { upstreamUrl } from '../../src/gateway/address.ts'
import { cardById, cards, wireOf } from '../../src/providers/registry.ts'

/** The URL of a provider's own address, with `eu` for each variable. */
function url(id: string, rest: string, baseUrl?: string): string {
  const card = cardById(id)
  if (card === undefined) throw new Error(`no card ${id}`)
  const own = card.baseUrl.startsWith('{') ? 'https://own.test/v1' : card.baseUrl.replaceAll(/\{\w+\}/g, 'eu')
  return upstreamUrl({ template: card.baseUrl, baseUrl: baseUrl ?? own, version: wireOf(card).version }, rest)
}

describe('a call goes to the path that its client means', () => {
  test.each([
    // With the version segment, without it, and with it twice.
    ['openai', '/v1/responses', 'https://api.openai.com/v1/responses'],
    ['openai', '/responses', 'https://api.openai.com/v1/responses'],
    ['openai', '/v1/v1/responses', 'https://api.openai.com/v1/responses'],
    ['anthropic', '/v1/messages', 'https://api.anthropic.com/v1/messages'],
    ['anthropic', '/messages', 'https://api.anthropic.com/v1/messages'],
    ['anthropic', '/v1/v1/messages?beta=true', 'https://api.anthropic.com/v1/messages?beta=true'],
    [
      'gemini',
      '/v1beta/models/g:generateContent?alt=sse',
      'https://generativelanguage.googleapis.com/v1beta/models/g:generateContent?alt=sse',
    ],
    [
      'gemini',
      '/models/g:generateContent',
      'https://generativelanguage.googleapis.com/v1beta/models/g:generateContent',
    ],
    // The client's own version counts, also behind a base URL with another one.
    ['gemini', '/v1/models', 'https://generativelanguage.googleapis.com/v1/models'],
    ['gemini', '/v1beta/v1alpha/models', 'https://generativelanguage.googleapis.com/v1alpha/models'],
    ['cohere', '/v2/chat', 'https://api.cohere.ai/v2/chat'],
    // Paths whose version is further behind.
    ['gemini', '/upload/v1beta/files', 'https://generativelanguage.googleapis.com/upload/v1beta/files'],
    // Paths below a folder, whole and in part.
    ['groq', '/openai/v1/chat/completions', 'https://api.groq.com/openai/v1/chat/completions'],
    ['groq', '/v1/chat/completions', 'https://api.groq.com/openai/v1/chat/completions'],
    ['groq', '/chat/completions', 'https://api.groq.com/openai/v1/chat/completions'],
    ['openrouter', '/api/v1/chat/completions', 'https://openrouter.ai/api/v1/chat/completions'],
    ['openrouter', '/api/v1/v1/chat/completions', 'https://openrouter.ai/api/v1/chat/completions'],
    // No version at all.
    ['deepseek', '/chat/completions', 'https://api.deepseek.com/chat/completions'],
    ['deepseek', '/v1/chat/completions', 'https://api.deepseek.com/v1/chat/completions'],
    [
      'bedrock',
      '/model/arn%3Aaws%3Abedrock%3Aeu%3A1%3Ax%2Fy/converse',
      'https://bedrock-runtime.eu.amazonaws.com/model/arn%3Aaws%3Abedrock%3Aeu%3A1%3Ax%2Fy/converse',
    ],
    // Vertex: the whole path of its SDK, and the part behind the publisher.
    [
      'vertex',
      '/v1beta1/projects/p/locations/eu/publishers/google/models/g:generateContent',
      'https://eu-aiplatform.googleapis.com/v1beta1/projects/p/locations/eu/publishers/google/models/g:generateContent',
    ],
    [
      'vertex',
      '/models/g:generateContent',
      'https://eu-aiplatform.googleapis.com/v1/projects/eu/locations/eu/publishers/google/models/g:generateContent',
    ],
    [
      'vertex-anthropic',
      '/projects/p/locations/eu/publishers/anthropic/models/c:streamRawPredict',
      'https://eu-aiplatform.googleapis.com/v1/projects/p/locations/eu/publishers/anthropic/models/c:streamRawPredict',
    ],
    // A base URL that ends in a slash, and no path at all.
    ['openai', '//v1/responses', 'https://api.openai.com/v1/responses'],
    ['openai', '/v1//responses', 'https://api.openai.com/v1/responses'],
    ['openai', '', 'https://api.openai.com/v1'],
    // Behind the front every byte stays.
    [
      'openai',
      '/v1/files/a//b/v1/v1/%2F/c?x=1?y=/v1/v1',
      'https://api.openai.com/v1/files/a//b/v1/v1/%2F/c?x=1?y=/v1/v1',
    ],
    ['openai', '/v1/responses?', 'https://api.openai.com/v1/responses?'],
  ])('%s %s', (id, rest, expected) => {
    expect(url(id, rest)).toBe(expected)
  })

  test.each([
    ['openai', '/v1/responses', 'http://lab.test/openai/v1', 'http://lab.test/openai/v1/responses'],
    ['gemini', '/v1beta/models/g', 'http://lab.test/gemini', 'http://lab.test/gemini/v1beta/models/g'],
    ['anthropic', '/messages', 'https://proxy.test/anthropic/', 'https://proxy.test/anthropic/v1/messages'],
    [
      'azure-openai',
      '/openai/deployments/d/chat/completions?api-version=1',
      'https://x.openai.azure.com/openai/v1',
      'https://x.openai.azure.com/openai/deployments/d/chat/completions?api-version=1',
    ],
    [
      'azure-openai',
      '/openai/v1/responses',
      'https://x.openai.azure.com/openai/v1',
      'https://x.openai.azure.com/openai/v1/responses',
    ],
    [
      'azure-openai',
      '/responses',
      'https://x.openai.azure.com/openai/v1',
      'https://x.openai.azure.com/openai/v1/responses',
    ],
    ['vllm', '/v1/chat/completions', 'https://host.test:8443/llm/v1', 'https://host.test:8443/llm/v1/chat/completions'],
    ['vllm', '/v2/tenant-b/x', 'https://host.test/tenant-a/v1', 'https://host.test/tenant-a/v2/tenant-b/x'],
    ['openai', '/v1/responses', 'https://proxy.test/mine', 'https://proxy.test/mine/responses'],
    ['openai', '/responses', 'https://proxy.test/mine', 'https://proxy.test/mine/responses'],
    ['openai', '/v2/responses', 'https://proxy.test/mine', 'https://proxy.test/mine/v2/responses'],
  ])('%s %s at an address of the administrator', (id, rest, baseUrl, expected) => {
    expect(url(id, rest, baseUrl)).toBe(expected)
  })

  test('no path leads to another host', () => {
    for (const card of cards) {
      for (const rest of [
        '//evil.test/x',
        '/@evil.test',
        '/\\evil.test',
        '/v1/../../x',
        '?@evil.test',
        '/v1//evil.test/',
        '///evil.test/x',
        '/\\/evil.test/x',
        ':80@evil.test/x',
        '/.evil.test/x',
        '/%2f%2fevil.test/x',
        '/v1/%0d%0aHost:%20evil.test/x',
        '/[::1]/x',
        '//[::ffff:169.254.169.254]/x',
        '/http://evil.test/x',
        '/v1/v1//v1/@evil.test:443/x',
        '/x?y=#@evil.test/',
        '/\t/evil.test/x',
      ]) {
        const own = new URL(url(card.id, ''))
        const { protocol, username, password, host } = new URL(url(card.id, rest))
        expect({ protocol, username, password, host }, `${card.id} ${rest}`).toEqual({
          protocol: own.protocol,
          username: '',
          password: '',
          host: own.host,
        })
      }
    }
  })

  test.each(['https://host.test/tenant-a/v1', 'https://[2001:db8::1]:8443/tenant-a/v1', 'https://host.test./tenant-a'])(
    'no path leaves the folder of %s, which somebody else set',
    (baseUrl) => {
      const own = new URL(baseUrl)
      for (const rest of [
        '//evil.test/x',
        '/@evil.test',
        '/v2/tenant-b/x',
        '/v1/v1/x',
        '/\\evil.test',
        '/v1//tenant-b/',
      ]) {
        const { host, pathname } = new URL(url('vllm', rest, baseUrl))
        expect([rest, host, pathname.startsWith('/tenant-a/')]).toEqual([rest, own.host, true])
      }
    },
  )
})
