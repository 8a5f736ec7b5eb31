import { expect, it } from 'vitest'
import { prepareWarm } from '../../src/registration/prepare.ts'

const text = 'Answer from the policy. '.repeat(400)
const prepared = (provider: string, request: unknown) =>
  prepareWarm({ provider, request: { text: JSON.stringify(request) } } as never, Date.now()).card.id

it('one name is enough for a vendor with two wire formats: the body says which', () => {
  expect(prepared('openai', { model: 'gpt-5.6-terra', messages: [{ role: 'developer', content: text }] })).toBe(
    'openai-chat',
  )
  const chat = { model: 'gpt-5.6-terra', messages: [{ role: 'developer', content: text }] }
  expect(prepared('azure-openai', chat)).toBe('azure-openai-chat')
  expect(prepared('openai', { model: 'gpt-5.6-terra', instructions: text, input: [] })).toBe('openai')
  expect(prepared('openai-chat', { model: 'gpt-5.6-terra', messages: [{ role: 'developer', content: text }] })).toBe(
    'openai-chat',
  )
})
