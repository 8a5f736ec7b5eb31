import { describe, expect, it } from 'vitest'
import { cardById } from '../../../src/providers/registry.ts'
import { withRetention } from '../../../src/providers/prefix/with-markers.ts'

const byteOf = (text: string, behind: string): number =>
  Buffer.byteLength(text.slice(0, text.indexOf(behind) + behind.length))

describe('the markers of a stored body at another retention', () => {
  it('change to it, and the prefix ends behind the same element', () => {
    const text =
      '{"model":"m","system":[{"type":"text","text":"Größe","cache_control":{"type":"ephemeral"}},{"type":"text","text":"…","cache_control":{"type":"ephemeral"}}],"messages":[]}'
    const end = '"text":"…","cache_control":{"type":"ephemeral"}}'
    const breakpoint = { path: 'system[1]', byte: byteOf(text, end) }
    const card = cardById('anthropic')!
    const hour = withRetention(card, { text, breakpoint }, '1h')
    expect(hour.text).toBe(text.replaceAll('{"type":"ephemeral"}', '{"type":"ephemeral","ttl":"1h"}'))
    expect(hour.breakpoint).toEqual({
      path: 'system[1]',
      byte: byteOf(hour.text, '"text":"…","cache_control":{"type":"ephemeral","ttl":"1h"}}'),
    })
    expect(withRetention(card, hour, '1h')).toEqual(hour)
    expect(withRetention(card, hour, '5m').breakpoint.byte).toBe(hour.breakpoint.byte)
  })

  it('at Bedrock move the end of the prefix only if they are in front of it', () => {
    const text =
      '{"system":[{"text":"é"},{"cachePoint":{"type":"default"}},{"text":"ü"},{"cachePoint":{"type":"default"}}]}'
    const breakpoint = { path: 'system[2]', byte: byteOf(text, '{"text":"ü"}') }
    const hour = withRetention(cardById('bedrock')!, { text, breakpoint }, '1h')
    expect(hour.text).toBe(text.replaceAll('{"type":"default"}', '{"type":"default","ttl":"1h"}'))
    expect(hour.breakpoint.byte).toBe(byteOf(hour.text, '{"text":"ü"}'))
  })

  it('stay as they are where they state no lifetime', () => {
    const one = { text: '{"model":"m","input":"a"}', breakpoint: { path: 'input', byte: 24 } }
    expect(withRetention(cardById('openai')!, one, '24h')).toEqual(one)
    const plain = { text: '{"system":"a","messages":[]}', breakpoint: { path: 'system', byte: 13 } }
    expect(withRetention(cardById('anthropic')!, plain, '1h')).toEqual(plain)
  })
})
