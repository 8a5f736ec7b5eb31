import { beforeEach, describe, expect, it } from 'vitest'
import { SWEEP_HORIZON_MS } from '../../../../src/core/time/schedule.ts'
import { cardById } from '../../../../src/providers/registry.ts'
import { placeOf } from '../../../../src/runtime/env.ts'
import type { Vars } from '../../../../src/runtime/env.ts'
import { useOverrides } from '../../../../src/runtime/overrides.ts'
import { NOON, planned, usage } from '../../../support/sample.ts'
import { registrationNamed } from '../../../support/plain-registration.ts'
import { answered, testAccount } from '../../../support/account.ts'
import type { TestAccount } from '../../../support/account.ts'
import { MINUTE_MS } from '../../../../src/core/time/time.ts'

/** A provider whose address has changed since its prefixes were written. */

let place: string | null
let account: TestAccount

beforeEach(() => {
  place = null
  account = testAccount({ placeOf: () => place })
})

/** Registers a prefix and has it written at noon. */
function written(at: { place?: string | null }): { k: number; id: string } {
  const floors = { outputFloors: [0], primitives: ['zero_output' as const] }
  const registration = registrationNamed('a'.repeat(64), planned('always'), { ...floors, ...at })
  const { k } = account.registrar.register(registration, NOON)
  const lease = account.leaseNow(k, NOON)
  account.scheduler.settle(lease.seq, [answered(lease, NOON, 0, 10_000, { latencyMs: 500 })], NOON + 500)
  return { k, id: account.registrar.viewByKey(k, NOON + 500).record.id }
}

describe('a prefix whose provider has another address', () => {
  it('the prefix gets no probe, not even one claimed before, also after an eviction', () => {
    const { id } = written({ place: null })
    const due = NOON + 4 * MINUTE_MS
    const { messages } = account.scheduler.sweep(due, due + SWEEP_HORIZON_MS)
    expect(messages).toHaveLength(1)
    place = 'there'
    account.evict()
    expect(account.scheduler.begin(messages[0]!.seq, due)).toEqual([])
    expect(account.registrar.view(id, due)).toMatchObject({
      belief: { state: 'cold', pWarm: 0, warmUntil: null },
      state: { nextAt: null, stopped: { reason: 'address_changed' } },
    })
    expect(account.scheduler.sweep(due + MINUTE_MS, due + 10 * MINUTE_MS).messages).toEqual([])
  })

  it('the plan goes on when the address is back before the lapse', () => {
    const { k, id } = written({ place: null })
    place = 'there'
    account.registrar.factsChanged(NOON + MINUTE_MS)
    expect(account.registrar.view(id, NOON + MINUTE_MS).state.stopped?.reason).toBe('address_changed')
    place = null
    account.registrar.factsChanged(NOON + 2 * MINUTE_MS)
    const { belief, state } = account.registrar.viewByKey(k, NOON + 2 * MINUTE_MS)
    expect([belief.state, state.stopped]).toEqual(['warm', null])
    expect(state.nextAt).toBeLessThan(NOON + 5 * MINUTE_MS)
  })

  it('a request to the other address renews nothing', () => {
    const { k, id } = written({ place: null })
    place = 'there'
    const arrival = { startedAt: NOON + 4 * MINUTE_MS, usage: usage(10_000, 0), ttftMs: null }
    expect(account.scheduler.observe(k, [arrival], NOON + 4 * MINUTE_MS)).toBe(false)
    place = null
    expect(account.registrar.view(id, NOON + 6 * MINUTE_MS).belief.state).toBe('cold')
  })

  it('a record without an address is not affected', () => {
    const { id } = written({})
    place = 'there'
    expect(account.registrar.view(id, NOON + MINUTE_MS).belief.state).toBe('warm')
  })
})

describe('the stored address of a provider', () => {
  const vars = (more: Record<string, string> = {}): Vars => ({ ENVIRONMENT: 'production', ...more }) as Vars
  const vllm = cardById('vllm')
  const azure = (url: string) => placeOf(cardById('azure-openai'), vars({ AZURE_OPENAI_BASE_URL: url }))

  it('an address that the card names is not stored', () => {
    expect(placeOf(cardById('anthropic'), vars())).toBeNull()
    expect(placeOf(undefined, vars())).toBeNull()
    expect(placeOf(vllm, vars())).toBeNull() // not configured: nothing is sent there either
  })

  it('another variable gives another stored address, which does not reveal the URL', () => {
    const [one, same, two] = ['https://a.example.com/v1', 'https://a.example.com/v1/', 'https://b.example.com/v1'].map(
      azure,
    )
    expect(one).toMatch(/^[0-9a-f]{24}$/)
    expect(same).toBe(one)
    expect(two).not.toBe(one)
  })

  it('an override changes the stored address, and its removal restores it', () => {
    const anthropic = cardById('anthropic')
    try {
      useOverrides({ version: 1, providers: { anthropic: { baseUrl: 'https://proxy.example.com' } } }, NOON)
      expect(placeOf(anthropic, vars())).toMatch(/^[0-9a-f]{24}$/)
      useOverrides({ version: 2, providers: { anthropic: { baseUrl: 'https://api.anthropic.com' } } }, NOON)
      expect(placeOf(anthropic, vars())).toBeNull()
    } finally {
      useOverrides({ version: 0, providers: {} }, NOON)
    }
  })
})
