import { describe, expect, it } from 'vitest'
import { displayNameOf, listedAction, readDisplayName } from '../../../src/core/managed-cache/ownership.ts'
import { newManagedCacheState } from '../../../src/core/managed-cache/state.ts'
import { HOUR_MS } from '../../../src/core/time/time.ts'
import { created, NOW } from '../../support/managed-cache.ts'

describe('a display name', () => {
  const print = 'ab'.repeat(12)
  it('is recognised only if it is exactly one of this deployment', () => {
    expect(readDisplayName(displayNameOf('dep_1', `${print}ffff`), 'dep_1')).toBe(print)
    for (const other of [
      '',
      'x',
      `pilotlight:dep_2:${print}`,
      `pilotlight:dep_1:${print}:x`,
      `pilotlight:dep_1:${print.slice(1)}`,
      ` pilotlight:dep_1:${print}`,
      `PILOTLIGHT:dep_1:${print}`,
      `pilotlight:dep_1:${print.toUpperCase()}`,
    ])
      expect(readDisplayName(other, 'dep_1')).toBeNull()
  })
})

describe('a listed cache of ours', () => {
  const lacking = { ...newManagedCacheState(NOW, HOUR_MS) }
  const has = created()
  const ended = { ...lacking, stopped: { reason: 'ended' as const, at: NOW, why: '' } }
  const idle = { inFlight: false, dropping: false, now: NOW }
  it.each([
    ['is kept if it is the one in the table', 'h/1', NOW + HOUR_MS, has, idle, 'keep'],
    ['is deleted if the table has another', 'h/2', NOW + HOUR_MS, has, idle, 'delete'],
    ['is adopted if the table has none', 'h/2', NOW + HOUR_MS, lacking, idle, 'adopt'],
    [
      'is adopted if the one in the table expired',
      'h/2',
      NOW + 9 * HOUR_MS,
      has,
      { ...idle, now: NOW + 2 * HOUR_MS },
      'adopt',
    ],
    ['is not adopted if it expired itself', 'h/2', NOW, lacking, idle, 'delete'],
    ['is deleted if none is wanted', 'h/2', NOW + HOUR_MS, ended, idle, 'delete'],
    ['is left alone while a call is in flight', 'h/2', NOW + HOUR_MS, lacking, { ...idle, inFlight: true }, 'leave'],
    ['is left alone while it is being deleted', 'h/2', NOW + HOUR_MS, lacking, { ...idle, dropping: true }, 'leave'],
  ] as const)('%s', (_, name, expiresAt, state, current, verdict) => {
    expect(listedAction(name, expiresAt, state, current)).toBe(verdict)
  })
})
