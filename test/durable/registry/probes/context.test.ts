import { describe, expect, it } from 'vitest'
import { KEEP_TIMEOUT_MS, SETTLE_SLACK_MS, WRITE_TIMEOUT_MS } from '../../../../src/core/time/schedule.ts'
import { MINUTE_MS } from '../../../../src/core/time/time.ts'
import { answerTimeoutOf } from '../../../../src/runtime/facts.ts'
import { useOverrides } from '../../../../src/runtime/overrides.ts'
import { answered, testAccount } from '../../../support/account.ts'
import { registrationNamed } from '../../../support/plain-registration.ts'
import { NOON, planned } from '../../../support/sample.ts'

/** Leases of a write, and of the keep-alive that follows it. */
function leasesAt(timeoutMs: number | null, grainMs = 1_000) {
  const account = testAccount({ timeoutOf: () => timeoutMs, grainMs })
  const floors = { outputFloors: [0], primitives: ['zero_output' as const] }
  const { k } = account.registrar.register(registrationNamed('a'.repeat(64), planned('always'), floors), NOON)
  const write = account.leaseNow(k, NOON)
  account.scheduler.settle(write.seq, [answered(write, NOON, 0, 10_000, { latencyMs: 500 })], NOON + 500)
  const due = NOON + 4 * MINUTE_MS + 40_000
  const [message] = account.scheduler.sweep(due, due + MINUTE_MS).messages
  const [keep] = account.scheduler.begin(message!.seq, due)
  return { write, keep: keep! }
}

describe('the time-out of a call', () => {
  it('is by what the call is for, where the provider has none of its own', () => {
    const { write, keep } = leasesAt(null)
    expect(write.timeoutMs).toBe(WRITE_TIMEOUT_MS)
    expect(keep.timeoutMs).toBeLessThanOrEqual(KEEP_TIMEOUT_MS)
  })

  it('is machine time for a write, however fast the clock runs', () => {
    const { write } = leasesAt(null, 12_000)
    expect(write.timeoutMs).toBe(12 * WRITE_TIMEOUT_MS)
    expect(write.expiresAt).toBeGreaterThan(write.sendBy + write.timeoutMs)
  })

  it('is the provider’s own for a write and a keep-alive, and the lease lives as long', () => {
    const { write, keep } = leasesAt(5 * MINUTE_MS)
    for (const lease of [write, keep]) {
      expect(lease.timeoutMs).toBe(5 * MINUTE_MS)
      expect(lease.expiresAt).toBe(lease.sendBy + 5 * MINUTE_MS + SETTLE_SLACK_MS)
    }
  })

  it('outlasts a prefill of five minutes on engines of one’s own; the administrator’s word holds', () => {
    for (const engine of ['vllm', 'sglang', 'llama-cpp', 'ollama'])
      expect(answerTimeoutOf(engine)).toBeGreaterThan(5 * MINUTE_MS)
    expect(answerTimeoutOf('anthropic')).toBeNull()
    useOverrides(
      { version: 1, providers: { anthropic: { answerTimeoutMs: 90_000 }, vllm: { answerTimeoutMs: 5_000 } } },
      NOON,
    )
    try {
      expect([answerTimeoutOf('anthropic'), answerTimeoutOf('vllm')]).toEqual([90_000, 5_000])
    } finally {
      useOverrides({ version: 0, providers: {} }, NOON)
    }
  })
})
