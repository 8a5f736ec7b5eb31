import { describe, expect, it } from 'vitest'
import { badMonth, ManagedCacheWorld } from './managed-cache-world.ts'
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../../src/core/time/time.ts'

describe('a fleet of managed caches', () => {
  const figures = new ManagedCacheWorld(badMonth(7)).runFor(3 * DAY_MS)

  it('gives callers no dead handle, though caches are deleted all the time', () => {
    expect(figures.losses).toBeGreaterThan(50)
    expect(figures.served).toBeGreaterThan(5_000)
    expect(figures.deadSeen).toBe(0)
    expect(figures.withoutHandle / figures.needs).toBeLessThan(0.01)
  })

  it('leaves no orphan for an hour, and changes no cache of somebody else', () => {
    expect(figures.oldestOrphanMs).toBeLessThan(60 * MINUTE_MS)
    expect(figures.foreignTouched).toBe(0)
  })

  it('wakes the Registry about as often as something is due', () => {
    const { create, renew, verify, delete: deleted } = figures.calls
    expect(figures.sweeps).toBeLessThan(3 * 24 * 60 + 3 * (create + renew + verify + deleted))
  })

  it('costs a fraction of one cache for each process, and meters its cost', () => {
    const { perProcess, storageUsd, creationUsd, meteredUsd } = figures
    expect((storageUsd + creationUsd) * 5).toBeLessThan(perProcess.storageUsd + perProcess.creationUsd)
    expect(Math.abs(meteredUsd / storageUsd - 1)).toBeLessThan(0.05)
  })

  it('gives dead handles when callers accept old confirmations', () => {
    const trusting = new ManagedCacheWorld({ ...badMonth(7), maxAgeMs: HOUR_MS }).runFor(DAY_MS)
    expect(trusting.deadSeen).toBeGreaterThan(10)
  })

  it('finds the orphans of callers that die', () => {
    const careless = new ManagedCacheWorld({ ...badMonth(3), callersDie: 0.2 }).runFor(2 * DAY_MS)
    expect(careless.orphans).toBeGreaterThan(5)
    expect(careless.oldestOrphanMs).toBeLessThan(60 * MINUTE_MS)
    expect(careless.deadSeen).toBe(0)
  })
})
