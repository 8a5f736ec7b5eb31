import { describe, expect, it } from 'vitest'
import { at, caller, tokens } from './caller.ts'
import type { Json } from './caller.ts'
import { HOUR_MS } from './time.ts'

const TURN = { role: 'user', content: 'Hello there' }
const body = (over: Json = {}): Json => ({
  model: 'claude-sonnet-5',
  max_tokens: 100,
  system: tokens(2000),
  messages: [TURN],
  ...over,
})
const asking = (id: string | null, over: Json = {}): Json => body({ diagnostics: { previous_message_id: id }, ...over })

describe('diagnostics of Messages', () => {
  it('name the first part that differs from a call which asked too', async () => {
    const { anthropic } = caller()
    const { json: first } = await anthropic(asking(null))
    expect(first['diagnostics']).toBeNull()
    const id = String(first['id'])
    const reason = async (over: Json) =>
      at((await anthropic(asking(id, over))).json, 'diagnostics.cache_miss_reason.type')
    const tools = [{ name: 'look', input_schema: { type: 'object' } }]
    expect(await reason({ model: 'claude-opus-4-8', system: 'x' })).toBe('model_changed')
    expect(await reason({ tools, system: 'x' })).toBe('tools_changed')
    expect(await reason({ system: 'x' })).toBe('system_changed')
    expect(await reason({ messages: [{ role: 'user', content: 'Other' }] })).toBe('messages_changed')
    expect(await reason({ thinking: { type: 'disabled' } })).toBe('unavailable')
    const more = [TURN, { role: 'assistant', content: 'Hi.' }, TURN]
    expect((await anthropic(asking(id, { messages: more }))).json['diagnostics']).toBeNull()
  })

  it('find no call that did not ask, of another key, or of an hour ago', async () => {
    const { anthropic, advance } = caller()
    const silent = String((await anthropic(body())).json['id'])
    const reason = async (id: string) => at((await anthropic(asking(id))).json, 'diagnostics.cache_miss_reason.type')
    expect(await reason(silent)).toBe('previous_message_not_found')
    const id = String((await anthropic(asking(null))).json['id'])
    advance(HOUR_MS)
    expect(await reason(id)).toBe('previous_message_not_found')
  })

  it.each<[string, Json]>([
    ['another member', { previous_message_id: null, depth: 2 }],
    ['an id of something else', { previous_message_id: 'resp_1' }],
    ['no id', {}],
  ])('are refused with %s', async (_what, diagnostics) => {
    const { anthropic } = caller()
    expect((await anthropic(body({ diagnostics }))).status).toBe(400)
  })
})

describe('diagnostics of Responses', () => {
  const ask = (over: Json = {}, id?: string): Json => ({
    model: 'gpt-5.6-sol',
    instructions: tokens(2000),
    input: 'Hello there',
    ...(id === undefined ? {} : { prompt_cache_options: { comparison_response_id: id } }),
    ...over,
  })

  it('compare with a completed response, and are told where they are asked for', async () => {
    const { responses } = caller()
    const { json: first } = await responses(ask())
    expect(first).not.toHaveProperty('prompt_cache_diagnostics')
    const id = String(first['id'])
    const told = async (over: Json) => (await responses(ask(over, id))).json['prompt_cache_diagnostics']
    expect(await told({})).toEqual({ type: 'cache_hit' })
    expect(await told({ instructions: 'x' })).toMatchObject({ type: 'cache_miss', reason: 'input_changed' })
    expect(await told({ prompt_cache_key: 'other' })).toMatchObject({ reason: 'prompt_cache_key_changed' })
    expect((await responses(ask({}, 'resp_gone'))).json['prompt_cache_diagnostics']).toEqual({
      type: 'comparison_response_not_found',
    })
  })

  it('are refused by models before GPT-5.6', async () => {
    const { responses } = caller()
    expect((await responses(ask({ model: 'gpt-5.4' }, 'resp_1'))).status).toBe(400)
  })
})
