import { countTokens } from 'gpt-tokenizer/encoding/o200k_base'
import { describe, expect, it } from 'vitest'
import { at, caller } from './caller.ts'
import { memoryStore } from './store.ts'
import { o200kTokens } from './vocabulary.ts'

const TEXT = 'Tents, stoves and sleeping mats for the mountains. '.repeat(200)
const marked = (text = TEXT) => ({
  model: 'claude-opus-5',
  max_tokens: 1,
  system: [{ type: 'text', text, cache_control: { type: 'ephemeral' } }],
  messages: [{ role: 'user', content: 'Hi' }],
})
const ADDED = { request: 64, message: 16, tool: 32, any_tool: 1024 }

describe('counting rules', () => {
  it('bill a token for each byte, and what is added to messages and tools', async () => {
    const { anthropic, send, lab } = caller()
    const rule = { provider: 'anthropic', per: 'byte', added: ADDED }
    expect((await send('POST', '/_lab/counting', rule)).status).toBe(201)
    const { json } = await anthropic(marked())
    const written = Buffer.byteLength(TEXT) + 64 + 2 * 16
    expect(json['usage']).toMatchObject({ cache_creation_input_tokens: written, input_tokens: 2, output_tokens: 1 })
    const tool = { name: 'find', input_schema: { type: 'object' } }
    const { json: other } = await anthropic({ ...marked(), tools: [tool] })
    const withTool = written + 32 + 1024 + Buffer.byteLength(JSON.stringify(tool))
    expect(at(other, 'usage.cache_creation_input_tokens')).toBe(withTool)
    // The same prompt is read as what it was written as, and the transcript has what was billed.
    expect(at((await anthropic(marked())).json, 'usage.cache_read_input_tokens')).toBe(written)
    expect(lab.transcript.list().map(({ usage }) => at(usage, 'cache_read_input_tokens'))).toEqual([0, 0, written])
  })

  it('make a free count as low as they say, and no lower', async () => {
    const { send } = caller()
    await send('POST', '/_lab/counting', { per: 'byte', free_count_low: { share: 0.02, tokens: 64 } })
    const headers = { 'x-api-key': 'a', 'anthropic-version': '2023-06-01' }
    const { max_tokens: _max, ...body } = marked()
    const counted = (await send('POST', '/anthropic/v1/messages/count_tokens', body, headers)).json['input_tokens']
    const billed = Buffer.byteLength(TEXT) + 2
    expect(Number(counted)).toBeLessThan(billed - 64)
    expect(Math.ceil(Number(counted) * 1.02) + 64).toBeGreaterThanOrEqual(billed)
  })

  it('count by a vocabulary, also where a cache matches step by step', async () => {
    const { chat, send } = caller({ vocabulary: o200kTokens })
    await send('POST', '/_lab/counting', { provider: 'openai', per: 'vocabulary' })
    const digits = Array.from({ length: 3_000 }, (_, n) => String((n * 7919) % 997)).join('\t')
    const body = { model: 'gpt-4o', messages: [{ role: 'user', content: digits }] }
    const first = (await chat(body)).json
    expect(at(first, 'usage.prompt_tokens')).toBe(countTokens(digits))
    const read = Number(at((await chat(body)).json, 'usage.prompt_tokens_details.cached_tokens'))
    expect(read % 128).toBe(0)
    expect(read).toBeGreaterThan(countTokens(digits) - 256)
    expect(read).toBeLessThanOrEqual(countTokens(digits))
  })

  it('concern the providers and models that they name, and outlive a restart', async () => {
    const store = memoryStore()
    const { anthropic, send } = caller({ store })
    await send('POST', '/_lab/counting', { provider: 'openai', per: 'byte' })
    await send('POST', '/_lab/counting', { model: 'claude-opus-5', per: 'four_bytes', times: 3 })
    const written = async (ask: typeof anthropic, model: string) =>
      at((await ask({ ...marked(), model })).json, 'usage.cache_creation_input_tokens')
    const usual = Math.ceil(Buffer.byteLength(TEXT) / 4)
    expect(await written(anthropic, 'claude-sonnet-5')).toBe(usual)
    expect(await written(anthropic, 'claude-opus-5')).toBe(usual * 3)
    const later = caller({ store })
    expect(await written((body) => later.anthropic(body, 'key-b'), 'claude-opus-5')).toBe(usual * 3)
    await later.send('DELETE', '/_lab/counting', undefined)
    expect(await written((body) => later.anthropic(body, 'key-c'), 'claude-opus-5')).toBe(usual)
    expect((await send('POST', '/_lab/counting', { per: 'word' })).status).toBe(400)
  })
})

describe('overbilled', () => {
  it('bills calls many times their tokens, in the cache and in the transcript', async () => {
    const { anthropic, fault, lab } = caller()
    await fault({ kind: 'overbilled', factor: 7, times: 1 })
    const usual = Math.ceil(Buffer.byteLength(TEXT) / 4)
    expect(at((await anthropic(marked())).json, 'usage.cache_creation_input_tokens')).toBe(usual * 7)
    expect(at((await anthropic(marked())).json, 'usage.cache_read_input_tokens')).toBe(usual)
    expect(lab.transcript.list().map(({ faults }) => faults)).toEqual([['overbilled'], []])
  })
})

describe('a server error that was charged', () => {
  it.each([
    ['anthropic', 'usage.cache_creation_input_tokens', 'usage.cache_read_input_tokens'],
    ['gemini', 'usageMetadata.promptTokenCount', 'usageMetadata.cachedContentTokenCount'],
  ] as const)('tells what was counted beside the error: %s', async (provider, first, second) => {
    const { anthropic, gemini, fault, lab } = caller()
    const body = { contents: [{ role: 'user', parts: [{ text: TEXT.repeat(3) }] }] }
    const ask = () =>
      provider === 'anthropic' ? anthropic(marked()) : gemini('v1beta/models/gemini-3.8-flash:generateContent', body)
    await fault({ kind: 'server_error', charged: true, times: 1 })
    const failed = await ask()
    expect(failed).toMatchObject({ status: 500, json: { error: expect.anything() } })
    expect(at(failed.json, first)).toBeGreaterThan(2_000)
    expect(lab.transcript.list()[0]).toMatchObject({ status: 500, usage: expect.anything() })
    expect(at((await ask()).json, second)).toBeGreaterThan(2_000)
  })
})

describe('usage that cannot be true', () => {
  it.each([
    ['negative', 'output_tokens', -2],
    ['fraction', 'input_tokens', 1.5],
  ] as const)('is told, and is not in the transcript: %s', async (how, member, told) => {
    const { anthropic, fault, lab } = caller()
    await fault({ kind: 'wrong_usage', how, times: 1 })
    expect(at((await anthropic(marked())).json, `usage.${member}`)).toBe(told)
    expect(at(lab.transcript.list()[0]?.usage, member)).toBe(1)
  })
})
