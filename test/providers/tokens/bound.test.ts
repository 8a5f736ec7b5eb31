import * as fc from 'fast-check'
import { countTokens } from 'gpt-tokenizer/encoding/o200k_base'
import { describe, expect, it } from 'vitest'
import { cardById } from '../../../src/providers/registry.ts'
import { boundOf } from '../../../src/providers/tokens/bound.ts'

const exact = (text: string): number => countTokens(text, { disallowedSpecial: new Set() })
const tools = Array.from({ length: 40 }, (_, n) => ({
  type: 'function',
  name: `find_${n}`,
  description: 'Finds a lamp.\nBy its name.\nOr by its size.',
  parameters: { type: 'object', properties: { name: { type: 'string', description: 'Its "name"' } } },
}))

describe('boundOf', () => {
  it('is not below a strict count of tools and messages in the vocabulary', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'grapheme', maxLength: 60 }), { maxLength: 60 }), (texts) => {
        const input = texts.map((content) => ({ role: 'user', content }))
        const strict = texts.reduce((sum, text) => sum + exact(text) + 4, exact(JSON.stringify(tools)) + 40 * 12)
        const { most } = boundOf(cardById('openai'), 'gpt-5.1', JSON.stringify({ model: 'gpt-5.1', tools, input }))
        expect(most).toBeGreaterThanOrEqual(strict)
      }),
      { numRuns: 50 },
    )
  })

  it('is a token for each byte where no tokenizer is public', () => {
    const table = '7 3 9 1\n'.repeat(2_000)
    const text = JSON.stringify({ model: 'claude-opus-5', system: table, messages: [] })
    const { most } = boundOf(cardById('anthropic'), 'claude-opus-5', text)
    expect(most).toBeGreaterThanOrEqual(Buffer.byteLength(table))
    expect(most).toBeLessThan(Buffer.byteLength(text) * 1.1)
  })

  const part = (content: object) => JSON.stringify({ model: 'm', messages: [{ role: 'user', content: [content] }] })

  it.each([
    ['a document by URL', { type: 'document', source: { type: 'url', url: 'https://example.com/a.pdf' } }],
    ['a PDF', { type: 'document', source: { type: 'base64', media_type: 'application/pdf', data: 'aaaa' } }],
    ['a file', { type: 'container_upload', file_id: 'file_1' }],
    ['a video', { type: 'video_url', video_url: { url: 'https://example.com/a.mp4' } }],
  ])('names %s, whose tokens nobody limits', (_what, content) => {
    expect(boundOf(cardById('anthropic'), 'm', part(content))).toEqual({
      most: null,
      unbounded: 'messages[0].content[0]',
    })
  })

  it('adds for tools on Bedrock what Claude adds at its own API', () => {
    const addedBy = (id: string, bare: object, tooled: object): number => {
      const [without, most] = [bare, tooled].map((body) => boundOf(cardById(id), 'm', JSON.stringify(body)).most ?? 0)
      return (most ?? 0) - (without ?? 0)
    }
    const tools = { toolConfig: { tools: [{ toolSpec: { name: 'find', inputSchema: { json: {} } } }] } }
    expect(addedBy('bedrock', { messages: [] }, { messages: [], ...tools })).toBeGreaterThan(1_024)
  })

  it('takes the most that the card states for images and tools of the provider', () => {
    const image = part({ type: 'image', source: { type: 'url', url: 'https://example.com/a.png' } })
    expect(boundOf(cardById('anthropic'), 'm', image).most).toBeGreaterThan(8_464)
    const search = JSON.stringify({
      model: 'm',
      messages: [],
      tools: [{ type: 'web_search_20250305', name: 'web_search' }],
    })
    expect(boundOf(cardById('anthropic'), 'm', search).most).toBeGreaterThan(4_096)
    expect(boundOf(cardById('openai'), 'gpt-5', '{"input":[],"prompt":{"id":"pmpt_1"}}')).toMatchObject({
      unbounded: 'prompt',
    })
  })
})
