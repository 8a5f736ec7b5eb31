import { describe, expect, it } from 'vitest'
import { cacheWish, markedBody } from '../../../src/gateway/bodies/marked.ts'
import { cardById } from '../../../src/providers/registry.ts'

const NOW = Date.UTC(2026, 11, 1)
const wished = (value: string) => cacheWish(new Headers({ 'x-pilotlight-cache': value }))

function marked(provider: string, text: string, wish = '"auto"', model: string | null = null): string | null {
  const [card, cache] = [cardById(provider), wished(wish)]
  if (card === undefined || cache === null) throw new Error('no card, or no wish')
  return markedBody(card, { text, model }, cache, NOW)
}

const system = 'You know the river. '.repeat(600)
const turns = '"messages" : [ {"role":"user","content":"Wo ist die Furt?\\u0021"} ]'
const body = `{ "model":"claude-opus-4-8",  "max_tokens":9, "system":[ {"type":"text","text":"${system}"} ],\n ${turns} }`

describe('a marker that a call asks for', () => {
  it('is set where POST /warm ends the prefix, and every other byte stays', () => {
    const marker = ',"cache_control":{"type":"ephemeral","ttl":"1h"}'
    const result = marked('anthropic', body, '{"retention":"1h"}')
    expect(result).toContain(marker)
    expect(result?.replace(marker, '')).toBe(body)
  })

  it('is a point of its own with Bedrock Converse', () => {
    const text = `{"system":[{"text":"${system}"}],"messages":[{"role":"user","content":[{"text":"?"}]}]}`
    const point = ',{"cachePoint":{"type":"default"}}'
    const result = marked('bedrock', text, '"auto"', 'anthropic.claude-opus-4-8-v1:0')
    expect(result).toContain(point)
    expect(result?.replace(point, '')).toBe(text)
  })

  it.each([
    ['one is there', 'anthropic', body.replace('"} ],', '","cache_control":{"type":"ephemeral"}} ],')],
    ['there is nothing to mark', 'anthropic', `{"model":"claude-opus-4-8","max_tokens":9,${turns}}`],
    ['the format has none', 'groq', `{"model":"m",${turns}}`],
    ['it is no body', 'anthropic', '[1]'],
  ])('is not set where %s', (_, provider, text) => {
    expect(marked(provider, text)).toBeNull()
  })
})

describe('the wish', () => {
  it('is none without the header, and where the cache is off', () => {
    expect([cacheWish(new Headers()), wished('"off"'), wished('{"mode":"disabled"}')]).toEqual([null, null, null])
  })

  it.each([
    ['auto', 'invalid_request', 'x-pilotlight-cache'],
    ['{"retention":7}', 'invalid_request', 'x-pilotlight-cache.retention'],
    ['{"mode":"required"}', 'unsupported', 'x-pilotlight-cache.mode'],
    ['{"key":"k"}', 'unsupported', 'x-pilotlight-cache.key'],
    ['{"breakpoints":2}', 'unsupported', 'x-pilotlight-cache.strategy'],
    ['{"handle":"cachedContents/a"}', 'unsupported', 'x-pilotlight-cache.strategy'],
  ])('%s is refused', (value, kind, field) => {
    expect(() => wished(value)).toThrow(
      expect.objectContaining({ value: expect.objectContaining({ kind, detail: { field } }) }),
    )
  })
})
