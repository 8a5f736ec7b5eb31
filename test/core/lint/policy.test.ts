import { describe, expect, it } from 'vitest'
import type { LintSetting } from '../../../src/contract/account.ts'
import { readFailure } from '../../../src/contract/failure.ts'
import { warmBody } from '../../../src/contract/warm.ts'
import { parseBody, WARM_RAW } from '../../../src/registration/json-body.ts'
import { lintPolicy } from '../../../src/core/lint/policy.ts'
import { prepareWarm } from '../../../src/registration/prepare.ts'
import { NOON } from '../../support/sample.ts'

describe('the policy for a body', () => {
  it.each([
    [undefined, null, 'secrets'],
    [undefined, 'off', 'off'],
    [undefined, 'advise', 'advise'],
    [undefined, 'refuse', 'refuse'],
    ['off', null, 'off'],
    ['advice', null, 'advise'],
    ['error', null, 'refuse'],
    ['off', 'advise', 'advise'],
    ['off', 'refuse', 'refuse'],
    ['advice', 'refuse', 'refuse'],
    ['error', 'off', 'refuse'],
    ['advice', 'off', 'advise'],
  ] as const)('that wishes %j in an account with %j is %j', (wish, setting, policy) => {
    expect(lintPolicy(wish, setting)).toBe(policy)
  })
})

const text = 'Answer from the policy of the house.\n'.repeat(400)
const key = `sk-ant-api03-${'a1B2'.repeat(10)}`

function refused(system: string, options: { lint?: LintSetting; anySize?: boolean } = {}, more: object = {}): unknown {
  const request = { model: 'claude-opus-5', max_tokens: 9, system, messages: [{ role: 'user', content: 'Hello' }] }
  try {
    const body = parseBody(JSON.stringify({ provider: 'anthropic', request, ...more }), warmBody, WARM_RAW)
    return prepareWarm(body, NOON, options).registration.advice.map(({ cause }) => cause)
  } catch (thrown) {
    const failure = readFailure(thrown)
    if (failure === null) throw thrown
    expect(failure.message).not.toContain(key)
    return [failure.kind, failure.detail?.['field'], failure.detail?.['cause']]
  }
}

describe('a secret in a prompt', () => {
  const secret = `${text}Use ${key} for it.`
  const told = ['invalid_request', '/request/system', 'secret']

  it('is refused unless the account or the body allows it', () => {
    expect(refused(secret)).toEqual(told)
    expect(refused(secret, { lint: 'refuse' }, { lint: 'advice' })).toEqual(told)
    expect(refused(secret, {}, { lint: 'advice' })).toContain('secret')
    expect(refused(secret, { lint: 'advise' })).toContain('secret')
    expect(refused(secret, { lint: 'off' })).not.toContain('secret')
  })

  it('is told and not refused where nothing is stored', () => {
    expect(refused(secret, { anySize: true })).toContain('secret')
    expect(refused(secret, { anySize: true, lint: 'refuse' })).toContain('secret')
  })

  it('is refused behind any number of other findings', () => {
    const many = Array.from({ length: 30 }, (_, index) => `Write to anna.lang${index}@firma-${index}.de.`).join('\n')
    expect(refused(`${text}${many}\n${key}`)).toEqual(told)
  })
})

it('other findings are told, and refused only where somebody asks for it', () => {
  const timed = `${text}It is 2026-11-21T10:41:07Z now.`
  expect(refused(timed)).toContain('timestamp')
  expect(refused(timed, { lint: 'refuse' })).toEqual(['invalid_request', '/request/system', 'timestamp'])
})
