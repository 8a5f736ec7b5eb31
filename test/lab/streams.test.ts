import { describe, expect, it, vi } from 'vitest'
import { at, caller, START_AT, tokens } from './caller.ts'
import type { Json } from './caller.ts'

/** The events of a stream: their names and their data. */
function eventsOf(text: string): { name: string; data: Json }[] {
  return text
    .split(/\r?\n\r?\n/)
    .filter((block) => block.includes('data: {'))
    .map((block) => {
      const data: Json = JSON.parse(block.slice(block.indexOf('data: ') + 6))
      return { name: /^event: (.*)$/m.exec(block)?.[1] ?? '', data }
    })
}

const chatBody = { model: 'gpt-4o', messages: [{ role: 'user', content: 'Hi' }], stream: true }

describe('streams', () => {
  it('of Messages come in Anthropic’s order, with usage at both ends', async () => {
    const { anthropic } = caller()
    const system = [{ type: 'text', text: tokens(2000), cache_control: { type: 'ephemeral' } }]
    const messages = [{ role: 'user', content: 'Hi' }]
    const { text, headers } = await anthropic({
      model: 'claude-sonnet-5',
      max_tokens: 50,
      system,
      messages,
      stream: true,
    })
    expect(headers.get('content-type')).toContain('text/event-stream')
    const events = eventsOf(text)
    const names = events.map((event) => event.name).filter((name, i, all) => name !== all[i - 1])
    expect(names).toEqual([
      'message_start',
      'content_block_start',
      'ping',
      'content_block_delta',
      'content_block_stop',
      'message_delta',
      'message_stop',
    ])
    expect(at(events[0]?.data, 'message.usage.cache_creation_input_tokens')).toBe(2000)
    expect(at(events.at(-2)?.data, 'usage.cache_creation_input_tokens')).toBe(2000)
    expect(at(events.at(-2)?.data, 'delta.stop_reason')).toBe('end_turn')
  })

  it('of Responses are numbered and end with the whole response', async () => {
    const { responses } = caller()
    const { text } = await responses({ model: 'gpt-6-sol', input: 'Hi', stream: true })
    const events = eventsOf(text)
    expect(events.map((event) => event.data['sequence_number'])).toEqual(events.map((_event, i) => i))
    expect(events[0]?.name).toBe('response.created')
    expect(events.at(-1)?.name).toBe('response.completed')
    expect(at(events.at(-1)?.data, 'response.usage.input_tokens')).toBe(1)
    const deltas = events
      .filter((event) => event.name === 'response.output_text.delta')
      .map((event) => event.data['delta'])
    expect(deltas.join('')).toBe(at(events.at(-1)?.data, 'response.output.1.content.0.text'))
  })

  it('of Responses end as incomplete when the budget is used up', async () => {
    const { responses } = caller()
    const { text } = await responses({ model: 'gpt-6-sol', input: 'Hi', stream: true, max_output_tokens: 16 })
    expect(eventsOf(text).at(-1)?.name).toBe('response.incomplete')
  })

  it('of Chat carry usage only when asked, in a last chunk without choices', async () => {
    const { chat } = caller()
    const plain = await chat(chatBody)
    expect(plain.text).not.toContain('usage')
    expect(plain.text.endsWith('data: [DONE]\n\n')).toBe(true)
    const asked = eventsOf((await chat({ ...chatBody, stream_options: { include_usage: true } })).text)
    expect(asked.at(-1)?.data).toMatchObject({ choices: [], usage: { prompt_tokens: 1 } })
    expect(asked[0]?.data).toMatchObject({ usage: null })
  })

  it('of Gemini are events on request and otherwise one array', async () => {
    const { gemini } = caller()
    const path = 'v1beta/models/gemini-2.5-flash:streamGenerateContent'
    const contents = [{ role: 'user', parts: [{ text: 'Hi' }] }]
    const events = eventsOf((await gemini(`${path}?alt=sse`, { contents })).text)
    expect(events.length).toBeGreaterThan(1)
    expect(at(events.at(-1)?.data, 'candidates.0.finishReason')).toBe('STOP')
    expect(at(events[0]?.data, 'candidates.0')).not.toHaveProperty('finishReason')
    const array = await gemini(path, { contents })
    expect(JSON.parse(array.text)).toHaveLength(events.length)
  })

  it('send their first byte only when the answer begins', async () => {
    const { lab, advance } = caller({ latency: 'on' })
    const headers = { authorization: 'Bearer k' }
    const body = JSON.stringify(chatBody)
    let begun = false
    const call = lab
      .fetch(new Request('http://lab.test/openai/v1/chat/completions', { method: 'POST', headers, body }))
      .then((response) => {
        begun = true
        return response
      })
    await vi.waitFor(() => expect(lab.transcript.list()[0]?.answer_begun_at).toBe(START_AT + 400))
    advance(399)
    await new Promise(setImmediate)
    expect(begun).toBe(false)
    advance(1)
    expect((await call).status).toBe(200)
  })
})
