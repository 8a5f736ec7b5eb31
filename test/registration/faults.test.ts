import { describe, expect, it } from 'vitest'
import { readFailure } from '../../src/contract/failure.ts'
import type { FailureValue } from '../../src/contract/failure.ts'
import { warmBody } from '../../src/contract/warm.ts'
import { parseBody, WARM_RAW } from '../../src/registration/json-body.ts'
import { prepareWarm } from '../../src/registration/prepare.ts'
import { REFUSED_BODIES } from '../support/refused-bodies.ts'
import { NOON } from '../support/sample.ts'

const prepare = (body: unknown, options = {}) =>
  prepareWarm(parseBody(JSON.stringify(body), warmBody, WARM_RAW), NOON, options)

function refusalOf(body: unknown): FailureValue | null {
  try {
    prepare(body)
    return null
  } catch (thrown) {
    const failure = readFailure(thrown)
    if (failure === null) throw thrown
    return failure
  }
}

const pointerOf = (path: string): string => `/request/${path.replaceAll(/\[(\d+)\]/g, '.$1').replaceAll('.', '/')}`

describe.each(REFUSED_BODIES)('$title ($provider)', ({ provider, request, path, cause, says, refused = true }) => {
  it.runIf(refused)('is refused with its place and its cause, before anything is sent', () => {
    const failure = refusalOf({ provider, request })
    expect(failure).toMatchObject({
      kind: 'invalid_request',
      detail: { field: `request.${path}`, cause, findings: expect.arrayContaining([`${cause} request.${path}`]) },
    })
    expect(failure?.message).toContain(`request.${path}: `)
    expect(failure?.message).toContain(says)
  })

  it.runIf(!refused)('is registered, with a warning', () => {
    expect(refusalOf({ provider, request })).toBeNull()
    const { advice } = prepare({ provider, request }).registration
    expect(advice).toContainEqual(expect.objectContaining({ cause, severity: 'warning', at: pointerOf(path) }))
    expect(refusalOf({ provider, request, lint: 'error' })?.detail?.['cause']).toBe(cause)
  })
})

it('a body that is only rendered shows every fault as a finding', () => {
  const system = [
    { type: 'text', text: 'Rules.\n'.repeat(900).trim(), cache_control: { type: 'Ephemeral' } },
    { type: 'text', text: '', cache_control: { type: 'ephemeral' } },
  ]
  const request = { model: 'claude-opus-4-8', max_tokens: 9, betas: [], system, messages: [] }
  const { advice } = prepare({ provider: 'anthropic', request }, { anySize: true }).registration
  expect(advice.filter(({ severity }) => severity === 'warning').map(({ cause, at }) => [cause, at])).toEqual([
    ['sdk_member', '/request/betas'],
    ['marker_type', '/request/system/0/cache_control/type'],
    ['marker_on_empty_text', '/request/system/1/cache_control'],
  ])
})

it('a fault behind the end of the prefix is no reason to refuse, and an empty question is none', () => {
  const system = [{ type: 'text', text: 'Rules.\n'.repeat(900).trim(), cache_control: { type: 'ephemeral' } }]
  const request = { model: 'claude-opus-4-8', max_tokens: 9, system, messages: [{ role: 'user', content: '' }] }
  expect(prepare({ provider: 'anthropic', request }).registration.advice).toEqual([])
})

it('an empty message of the neutral form is named as the caller wrote it', () => {
  const messages = [
    { role: 'user', content: 'Who? '.repeat(3_000) },
    { role: 'assistant', content: '' },
  ]
  const failure = refusalOf({ provider: 'anthropic', model: 'claude-opus-4-8', messages })
  expect(failure).toMatchObject({ detail: { field: 'messages[1].content', cause: 'marker_on_empty_text' } })
})

it.each([
  [
    'openai',
    { model: 'gpt-5.6-sol', prompt: { id: 'pmpt_1', version: '2', variables: { city: 'Ulm' } }, input: 'Who?' },
  ],
  ['openai', { model: 'gpt-5', prompt: { id: 'pmpt_1' }, instructions: 'Rules.\n'.repeat(900).trim(), input: 'Who?' }],
])('a prompt that the provider keeps is unsupported, and the reason says so: %s %#', (provider, request) => {
  const failure = refusalOf({ provider, request })
  expect(failure).toMatchObject({ kind: 'unsupported', detail: { field: 'request.prompt' } })
  expect(failure?.message).toContain('a prompt that the provider keeps')
})
