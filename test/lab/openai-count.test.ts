import { expect, it } from 'vitest'
import { caller } from './caller.ts'
import type { Json } from './caller.ts'

const { send, responses } = caller()
const count = (body: Json) => send('POST', '/openai/v1/responses/input_tokens', body, { authorization: 'Bearer key-a' })

const tools = [{ type: 'function', name: 'weigh', parameters: { type: 'object', properties: {} } }]
const body = { model: 'gpt-6-sol', instructions: 'Weigh what comes.', input: 'Three sacks of rye.', tools }

it('the count of input tokens is what a request with the same members is billed for', async () => {
  const counted = await count(body)
  const { json } = await responses({ ...body, max_output_tokens: 16 })
  const tokens = (json['usage'] as { input_tokens: number }).input_tokens
  expect(counted).toMatchObject({ status: 200, json: { object: 'response.input_tokens', input_tokens: tokens } })
  expect(tokens).toBeGreaterThan(10)
})

it.each(['max_output_tokens', 'store', 'prompt_cache_key', 'metadata'])(
  'the count of input tokens does not take %s',
  async (name) => {
    const { status, json } = await count({ ...body, [name]: 1 })
    expect([status, json['error']]).toMatchObject([400, { code: 'unknown_parameter', param: name }])
  },
)
