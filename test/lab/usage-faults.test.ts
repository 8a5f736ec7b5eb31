import { describe, expect, it } from 'vitest'
import { at, caller, tokens } from './caller.ts'
import type { Caller, Json, Reply } from './caller.ts'

const RULES = tokens(5000)

/** One prompt by every wire format, and where each tells input, cached and written tokens. */
const WIRES: Record<
  string,
  { send: (lab: Caller, more?: Json) => Promise<Reply>; input: string; cached: string; written?: string }
> = {
  anthropic: {
    send: (lab, more) =>
      lab.anthropic({
        model: 'claude-sonnet-5',
        max_tokens: 50,
        system: [{ type: 'text', text: RULES, cache_control: { type: 'ephemeral' } }],
        messages: [{ role: 'user', content: 'Hello' }],
        ...more,
      }),
    input: 'usage.input_tokens',
    cached: 'usage.cache_read_input_tokens',
    written: 'usage.cache_creation_input_tokens',
  },
  responses: {
    send: (lab, more) => lab.responses({ model: 'gpt-6.1-sol', input: [{ role: 'user', content: RULES }], ...more }),
    input: 'usage.input_tokens',
    cached: 'usage.input_tokens_details.cached_tokens',
    written: 'usage.input_tokens_details.cache_write_tokens',
  },
  chat: {
    send: (lab, more) => lab.chat({ model: 'gpt-4o', messages: [{ role: 'user', content: RULES }], ...more }),
    input: 'usage.prompt_tokens',
    cached: 'usage.prompt_tokens_details.cached_tokens',
  },
  gemini: {
    send: (lab) =>
      lab.gemini('v1beta/models/gemini-2.5-flash:generateContent', { contents: [{ parts: [{ text: RULES }] }] }),
    input: 'usageMetadata.promptTokenCount',
    cached: 'usageMetadata.cachedContentTokenCount',
  },
  'llama-cpp': {
    send: (lab, more) => lab.engine('llama-cpp', { messages: [{ role: 'user', content: RULES }], ...more }),
    input: 'usage.prompt_tokens',
    cached: 'usage.prompt_tokens_details.cached_tokens',
  },
}

describe.each(Object.entries(WIRES))('usage of %s', (_, { send, input, cached, written }) => {
  async function told(fault: Json): Promise<Reply> {
    const lab = caller()
    await send(lab)
    await lab.fault({ ...fault, times: 1 })
    const reply = await send(lab)
    expect(reply.status).toBe(200)
    // The cache is as it was: the next answer is told rightly.
    expect(at((await send(lab)).json, cached)).toBeGreaterThan(4000)
    return reply
  }

  it('leaves out what was cached, and keeps the rest', async () => {
    const { json } = await told({ kind: 'missing_cached' })
    expect(at(json, input)).toBeGreaterThan(0)
    expect([at(json, cached), written === undefined ? undefined : at(json, written)]).toEqual([undefined, undefined])
  })

  it('tells more cached than there is input', async () => {
    const { json } = await told({ kind: 'wrong_usage' })
    expect(Number(at(json, cached))).toBeGreaterThan(Number(at(json, input)))
  })

  it('tells zeros', async () => {
    const { json } = await told({ kind: 'wrong_usage', how: 'zeros' })
    expect([at(json, input), at(json, cached)]).toEqual([0, 0])
  })

  it('tells 10¹⁵ tokens', async () => {
    const { json } = await told({ kind: 'wrong_usage', how: 'huge' })
    expect([at(json, input), at(json, cached)]).toEqual([1e15, 1e15])
  })

  it('tells two counts that disagree', async () => {
    const { text } = await told({ kind: 'wrong_usage', how: 'disagree' })
    const { text: right } = await told({ kind: 'no_write' })
    expect(text.replace(/"id":"[^"]*"/, '')).not.toBe(right.replace(/"id":"[^"]*"/, ''))
  })

  it('tells the sum of two samplings, the second of which read it all', async () => {
    const lab = caller()
    await lab.fault({ kind: 'wrong_usage', how: 'summed', times: 1 })
    const { json } = await send(lab)
    const cold = Number(at(json, cached) ?? 0)
    // Where writes are told, a cold start looks like a hit.
    if (written === undefined) expect(cold).toBe(0)
    else expect([cold, at(json, written)]).toEqual([expect.any(Number), cold])
  })
})

describe('streams', () => {
  it('are told wrongly too, by each event that has counts', async () => {
    const lab = caller()
    await lab.fault({ kind: 'wrong_usage', how: 'zeros' })
    const { text } = await WIRES['anthropic']!.send(lab, { stream: true })
    expect(text.match(/"cache_creation_input_tokens":0/g)).toHaveLength(2)
    const chat = await WIRES['chat']!.send(lab, { stream: true, stream_options: { include_usage: true } })
    expect(chat.text).toContain('"prompt_tokens":0')
  })

  it('of Ollama’s own chat lose their counts', async () => {
    const lab = caller()
    await lab.fault({ kind: 'missing_usage' })
    const ask = { model: 'tiny', messages: [{ role: 'user', content: RULES }] }
    const { text } = await lab.send('POST', '/ollama/api/chat', ask)
    expect(text).toContain('"done":true')
    expect(text).not.toContain('eval_count')
  })
})

it('a fault that is none is refused', async () => {
  expect((await caller().fault({ kind: 'wrong_usage', how: 'nicely' })).status).toBe(400)
})
