import { expect, it } from 'vitest'
import { staysRegistered } from '../../../src/http/warm/present.ts'

const record = { id: 'px_1', provider: 'anthropic', model: 'claude-opus-4-8' }
const refused = { kind: 'provider_rejected', message: 'The provider rejected the request', detail: {} } as const

it('a refusal of a body that was never answered says what becomes of it', () => {
  const failure = staysRegistered(refused, record, false).value
  expect(failure.message).toBe(
    'The provider rejected the request. The model was claude-opus-4-8. The prefix stays registered, and the next body of the same content replaces this one.',
  )
  expect(failure).toMatchObject({ kind: 'provider_rejected', detail: { prefix_id: 'px_1' } })
})

it.each([
  [refused, true],
  [{ ...refused, kind: 'provider_timeout' } as const, false],
])('any other failure leaves the body as it is: %o, answered before: %s', (failure, wasAnswered) => {
  const { message } = staysRegistered(failure, record, wasAnswered).value
  expect(message).toMatch(
    /^The provider rejected the request\.(?: The model was claude-opus-4-8\.)? The prefix stays registered\.$/,
  )
})
