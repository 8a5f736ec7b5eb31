import { describe, expect, test } from 'vitest'
import { isPrivate } from '../../../src/contract/host.ts'
import { addressOf, variablesOf } from '../../../src/providers/transport/address.ts'
import { cardById, cards } from '../../../src/providers/registry.ts'

const whole = { id: 'vllm', baseUrl: '{VLLM_BASE_URL}' }
const at = (url: string, isDevelopment = false) => addressOf(whole, () => url, isDevelopment)

test('variables are filled into the address of a card', () => {
  const vars: Record<string, string> = { VERTEX_LOCATION: ' europe-west4 ', VERTEX_PROJECT: 'ours' }
  const vertex = cardById('vertex')!
  expect(variablesOf(vertex)).toEqual(['VERTEX_LOCATION', 'VERTEX_PROJECT'])
  expect(addressOf(vertex, (name) => vars[name], false).url).toBe(
    'https://europe-west4-aiplatform.googleapis.com/v1/projects/ours/locations/europe-west4/publishers/google',
  )
  vars['VERTEX_LOCATION'] = 'global'
  expect(addressOf(vertex, (name) => vars[name], false).url).toBe(
    'https://aiplatform.googleapis.com/v1/projects/ours/locations/global/publishers/google',
  )
  expect(at('https://gpu.example.com/v1/').url).toBe('https://gpu.example.com/v1')
})

test('a missing variable is named', () => {
  const { url, failure } = addressOf(cardById('bedrock')!, () => undefined, false)
  expect(url).toBeNull()
  expect(failure).toMatchObject({ kind: 'not_configured', detail: { variable: 'BEDROCK_REGION' } })
})

test('a variable cannot change the host of an address', () => {
  const bedrock = cardById('bedrock')!
  for (const odd of ['x.evil.test/', 'eu/../..', 'a@b', 'eu-central-1.', '-eu', 'eu:443', 'eu#', 'eu?x', 'ü', '']) {
    const { url, failure } = addressOf(bedrock, () => odd, false)
    expect([odd, url]).toEqual([odd, null])
    if (odd !== '') expect(failure?.message).not.toContain(`${odd} `)
  }
})

describe('an address in a variable', () => {
  test.each([
    ['http://gpu.example.com/v1', 'must be an https URL'],
    ['https://user:secret@gpu.example.com', 'must not contain credentials'],
    ['https://gpu.example.com/v1?key=secret', 'must contain no query and no fragment'],
    ['gpu.example.com', 'is not a URL'],
    ['javascript:alert(1)', 'must be an https URL'],
    ['https://localhost/v1', 'must name a public host'],
    ['https://gpu/v1', 'must name a public host'],
    ['https://gpu.internal/v1', 'must name a public host'],
    ['https://2130706433/v1', 'must name a public host'],
    ['https://0x7f.1/v1', 'must name a public host'],
    ['https://[::1]/v1', 'must name a public host'],
    ['https://[::ffff:10.0.0.1]/v1', 'must name a public host'],
  ])('%s %s', (url, what) => {
    const { failure } = at(url)
    expect(failure?.message).toContain(what)
    expect(failure?.message).not.toContain('secret')
  })

  test('may be anywhere in development', () => {
    expect(at('http://127.0.0.1:8000/v1', true).url).toBe('http://127.0.0.1:8000/v1')
    expect(at('file:///etc/passwd', true).url).toBeNull()
  })

  test.each([
    '10.0.0.1',
    '127.0.0.1',
    '169.254.169.254',
    '172.16.0.1',
    '172.31.255.255',
    '192.168.1.1',
    '100.64.0.1',
    '0.0.0.0',
    '224.0.0.1',
    '255.255.255.255',
    '198.18.0.1',
    '[fe80::1]',
    '[fd00::1]',
    '[::]',
    '[64:ff9b::a00:1]',
    '[2002:a00:1::]',
    '[2001:db8::1]',
    'metadata.google.internal',
    'printer.local',
    'LOCALHOST',
    'localhost.',
    'localhost..',
    '192.88.99.1',
    '[3fff::1]',
    '[3fff:fff::1]',
  ])('%s is private', (host) => {
    expect(isPrivate(host)).toBe(true)
  })

  test.each([
    '8.8.8.8',
    '172.32.0.1',
    '100.128.0.1',
    '192.169.0.1',
    '[2606:4700::1111]',
    'gpu.example.com',
    'local.example.com',
  ])('%s is public', (host) => {
    expect(isPrivate(host)).toBe(false)
  })
})

test('every address is https, and every variable is in capitals', () => {
  for (const card of cards) {
    for (const name of variablesOf(card)) expect(name).toMatch(/^[A-Z][A-Z0-9_]+$/)
    if (!card.baseUrl.startsWith('{')) expect(card.baseUrl).toMatch(/^https:\/\//)
  }
})
