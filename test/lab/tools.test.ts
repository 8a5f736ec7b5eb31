import { describe, expect, it } from 'vitest'
import { at, caller } from './caller.ts'
import type { Caller, Json, Reply } from './caller.ts'

const CALLED = 'Look it up.\nlab: call look {"item":"tent"} & look {"item":"mat"}\nlab: call look {"item":"stove"}'
const schema = { type: 'object', properties: { item: { type: 'string' } } }

/** The same conversation in each wire format: what asks, the first answer's calls, and a second ask that leaves a call without its result. */
const FORMATS: {
  name: string
  ask: (call: Caller, more?: Json) => Promise<Reply>
  none: Json
  called: (reply: Reply) => unknown
  unpaired: (call: Caller) => Promise<Reply>
}[] = [
  {
    name: 'Messages',
    ask: ({ anthropic }, more = {}) =>
      anthropic({
        model: 'claude-sonnet-5',
        max_tokens: 200,
        tools: [{ name: 'look', input_schema: schema }],
        messages: [{ role: 'user', content: CALLED }],
        ...more,
      }),
    none: { tool_choice: { type: 'none' } },
    called: ({ json }) => (at(json, 'content') as Json[]).map(({ name, input }) => [name, input]),
    unpaired: ({ anthropic }) =>
      anthropic({
        model: 'claude-sonnet-5',
        max_tokens: 200,
        messages: [
          { role: 'user', content: 'Look.' },
          { role: 'assistant', content: [{ type: 'tool_use', id: 'a', name: 'look', input: {} }] },
          { role: 'user', content: 'And?' },
        ],
      }),
  },
  {
    name: 'Responses',
    ask: ({ responses }, more = {}) =>
      responses({
        model: 'gpt-5.6-sol',
        tools: [{ type: 'function', name: 'look', parameters: schema }],
        input: [{ role: 'user', content: CALLED }],
        ...more,
      }),
    none: { tool_choice: 'none' },
    called: ({ json }) =>
      (at(json, 'output') as Json[]).flatMap(({ type, name, arguments: given }) =>
        type === 'function_call' ? [[name, JSON.parse(String(given)) as unknown]] : [],
      ),
    unpaired: ({ responses }) =>
      responses({
        model: 'gpt-5.6-sol',
        input: [
          { role: 'user', content: 'Look.' },
          { type: 'function_call', call_id: 'a', name: 'look', arguments: '{}' },
        ],
      }),
  },
  {
    name: 'Chat Completions',
    ask: ({ chat }, more = {}) =>
      chat({
        model: 'gpt-5.6-sol',
        tools: [{ type: 'function', function: { name: 'look', parameters: schema } }],
        messages: [{ role: 'user', content: CALLED }],
        ...more,
      }),
    none: { tool_choice: 'none' },
    called: ({ json }) =>
      ((at(json, 'choices.0.message.tool_calls') ?? []) as Json[]).map((call) => [
        at(call, 'function.name'),
        JSON.parse(String(at(call, 'function.arguments'))) as unknown,
      ]),
    unpaired: ({ chat }) =>
      chat({ model: 'gpt-5.6-sol', messages: [{ role: 'tool', tool_call_id: 'a', content: 'x' }] }),
  },
  {
    name: 'Gemini',
    ask: ({ gemini }, more = {}) =>
      gemini('v1beta/models/gemini-3.8-flash:generateContent', {
        tools: [{ functionDeclarations: [{ name: 'look', parametersJsonSchema: schema }] }],
        contents: [{ role: 'user', parts: [{ text: CALLED }] }],
        ...more,
      }),
    none: { toolConfig: { functionCallingConfig: { mode: 'NONE' } } },
    called: ({ json }) =>
      (at(json, 'candidates.0.content.parts') as Json[]).flatMap((part) =>
        'functionCall' in part ? [[at(part, 'functionCall.name'), at(part, 'functionCall.args')]] : [],
      ),
    unpaired: ({ gemini }) =>
      gemini('v1beta/models/gemini-3.8-flash:generateContent', {
        contents: [
          { role: 'user', parts: [{ text: 'Look.' }] },
          { role: 'model', parts: [{ functionCall: { name: 'look', args: {} }, thoughtSignature: 'a' }] },
          { role: 'user', parts: [{ text: 'And?' }] },
        ],
      }),
  },
]

describe.each(FORMATS)('tools in $name', ({ ask, none, called, unpaired }) => {
  it('are called as the script says, several at once', async () => {
    const reply = await ask(caller())
    expect(reply.status).toBe(200)
    expect(called(reply)).toEqual([
      ['look', { item: 'tent' }],
      ['look', { item: 'mat' }],
    ])
  })

  it('are not called where they are forbidden', async () => {
    const reply = await ask(caller(), none)
    expect(reply.text).toContain('ok ')
    expect(reply.text).not.toContain('stove')
  })

  it('must be answered, each call right behind it', async () => {
    expect((await unpaired(caller())).status).toBe(400)
  })
})
