import { beforeEach, describe, expect, it } from 'vitest'
import { unpack } from '../../../../src/runtime/bytes.ts'
import { factsOf } from '../../../../src/runtime/facts.ts'
import type { Lease } from '../../../../src/calls/lease.ts'
import { MINUTE_MS } from '../../../../src/core/time/time.ts'
import { answered, failed, testAccount } from '../../../support/account.ts'
import type { TestAccount } from '../../../support/account.ts'
import { anthropicBody, registrationOf } from '../../../support/registration.ts'
import { NOON, planned } from '../../../support/sample.ts'

/** Two bodies of one content: no provider caches by `metadata`, and it may still refuse one of them. */
const body = (tag: string, ttl: '5m' | '1h' = '5m') =>
  JSON.stringify({ ...JSON.parse(anthropicBody('a', ttl)), metadata: { tag } })

let account: TestAccount

beforeEach(() => {
  account = testAccount({ facts: factsOf })
})

const register = (text: string, at: number, name: string | null = null) =>
  account.registrar.register(registrationOf('anthropic', text, planned('always'), name), at)

function refuse(k: number, at: number): void {
  const lease = account.leaseNow(k, at)
  const failure = { kind: 'provider_rejected', message: 'The provider rejected the request.' } as const
  account.scheduler.settle(lease.seq, [failed(lease, at, { failure, permanent: true })], at + 200)
}

function answer(k: number, at: number): Lease {
  const lease = account.leaseNow(k, at)
  const outcome = answered(lease, at, 0, 10_000, { model: 'claude-sonnet-4-5' })
  account.scheduler.settle(lease.seq, [outcome], at + 200)
  return lease
}

const stored = (k: number): string => unpack(account.store.prefixes.body(k) ?? new Uint8Array())
const stateOf = (k: number) => account.store.states.load(k)

describe('a body that was never accepted', () => {
  it('gives way to the next one of the same content, and its plan starts again', () => {
    const { k } = register(body('bad'), NOON, 'agent')
    refuse(k, NOON)
    expect(stateOf(k)?.stopped?.reason).toBe('provider_refused')
    const again = register(body('good'), NOON + MINUTE_MS, 'agent')
    expect(again).toEqual({ k, created: false })
    expect(stored(k)).toContain('"good"')
    expect(stateOf(k)).toMatchObject({ stopped: null, lastFailure: null, failuresInRow: 0, primitiveIndex: 0 })
    account.evict()
    answer(k, NOON + 2 * MINUTE_MS)
    expect(stateOf(k)).toMatchObject({ verdict: 'warm' })
    expect(account.store.prefixes.record(k)).toMatchObject({ name: 'agent', version: 1, createdAt: NOON })
  })

  it('gives way after its plan was started again as well', () => {
    const { k } = register(body('bad'), NOON)
    refuse(k, NOON)
    const { id } = account.store.prefixes.record(k)!
    account.registrar.change(id, { keepWarm: planned('off') }, NOON + MINUTE_MS)
    register(body('good'), NOON + 2 * MINUTE_MS)
    expect(stored(k)).toContain('"good"')
  })

  it('gives way with its retention', () => {
    const { k } = register(body('bad', '1h'), NOON)
    refuse(k, NOON)
    register(body('good', '5m'), NOON + MINUTE_MS)
    expect(stateOf(k)?.retention?.name).toBe('5m')
    expect(account.store.prefixes.record(k)?.retention).toBe('5m')
  })

  it('stays while a call with it is in flight', () => {
    const { k } = register(body('bad'), NOON)
    account.leaseNow(k, NOON)
    register(body('good'), NOON + 100)
    expect(stored(k)).toContain('"bad"')
  })

  it('leaves no row in the history where the same body comes again', () => {
    const { k } = register(body('bad'), NOON)
    refuse(k, NOON)
    register(body('bad'), NOON + MINUTE_MS)
    const { id } = account.store.prefixes.record(k)!
    const rows = account.registrar.history(id, NOON + MINUTE_MS)
    expect(rows.filter((row) => row.type === 'decision' && row.decision === 'body_replaced')).toEqual([])
  })
})

it('a body that was accepted stays, whatever comes after it', () => {
  const { k } = register(body('first'), NOON)
  answer(k, NOON)
  refuse(k, NOON + MINUTE_MS)
  register(body('second'), NOON + 2 * MINUTE_MS)
  expect(stored(k)).toContain('"first"')
})

describe('a body that names another server', () => {
  const routed = (order: string[], tag = 'a') =>
    JSON.stringify({
      model: 'openai/gpt-5',
      messages: [{ role: 'system', content: 'You answer questions about bells. '.repeat(900) }],
      provider: { order },
      metadata: { tag },
    })
  const routedTo = (order: string[], at: number, tag = 'a') =>
    account.registrar.register(registrationOf('openrouter', routed(order, tag), planned('always')), at)

  it('takes the place of the one before, whose entry it does not read', () => {
    const { k } = routedTo(['one'], NOON)
    answer(k, NOON)
    expect(stateOf(k)).toMatchObject({ anchorAt: NOON })
    expect(routedTo(['two'], NOON + MINUTE_MS)).toEqual({ k, created: false })
    expect(stored(k)).toContain('"two"')
    expect(stateOf(k)).toMatchObject({ verdict: 'none', anchorAt: null })
    expect(account.store.prefixes.record(k)?.routing).toBe('{"provider.order":["two"]}')
    account.evict()
    answer(k, NOON + 2 * MINUTE_MS)
    expect(stateOf(k)).toMatchObject({ anchorAt: NOON + 2 * MINUTE_MS })
  })

  it('waits for a call in flight, and to the same server changes nothing', () => {
    const { k } = routedTo(['one'], NOON)
    answer(k, NOON)
    account.leaseNow(k, NOON + MINUTE_MS)
    routedTo(['two'], NOON + MINUTE_MS + 50)
    expect(stored(k)).toContain('"one"')
    routedTo(['one'], NOON + MINUTE_MS + 60, 'b')
    expect(stored(k)).toContain('"a"')
    expect(stateOf(k)).toMatchObject({ anchorAt: NOON })
  })
})
