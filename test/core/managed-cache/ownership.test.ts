import { createHmac } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import {
  chooseListed,
  displayNameOf,
  listedAction,
  markScope,
  readMark,
} from '../../../src/core/managed-cache/ownership.ts'
import { newManagedCacheState } from '../../../src/core/managed-cache/state.ts'
import { HOUR_MS, MINUTE_MS } from '../../../src/core/time/time.ts'
import { created, NOW } from '../../support/managed-cache.ts'

const signWith = (key: string) => (text: string) => createHmac('sha256', key).update(text).digest('hex').slice(0, 32)
const sign = signWith('ours')

describe('a display name', () => {
  const print = 'ab'.repeat(12)
  const deployment = `dep_${'1'.repeat(24)}`
  const parts = { deployment, fingerprint: `${print}ffff`, model: 'm-1', scope: 'deployment', at: NOW }
  const displayName = displayNameOf(parts, sign)
  const listed = { displayName, model: 'm-1', createdAt: NOW + 2_000 }

  it('fits into 128 characters, the limit of the provider', () => {
    expect(displayName.length).toBeLessThanOrEqual(128)
  })

  it('is trusted with its mark, for its model, its credential and the time of its creation', () => {
    expect(readMark(listed, parts, sign)).toEqual({ print, trusted: true })
    expect(readMark({ ...listed, createdAt: NOW - 9 * MINUTE_MS }, parts, sign)).toEqual({ print, trusted: true })
  })

  it.each([
    ['a mark of another key', listed, parts, signWith('theirs')],
    ['another model', { ...listed, model: 'm-2' }, parts, sign],
    ['another credential', listed, { ...parts, scope: 'acme/key:1' }, sign],
    ['a copy that was made later', { ...listed, createdAt: NOW + 11 * MINUTE_MS }, parts, sign],
    ['a name without a mark', { ...listed, displayName: `pilotlight:${deployment}:${print}` }, parts, sign],
    ['a name with half a mark', { ...listed, displayName: displayName.slice(0, -1) }, parts, sign],
    ['no mark', { ...listed, displayName: displayName.slice(0, -33) }, parts, sign],
    ['another instant', { ...listed, displayName: displayName.replace(NOW.toString(36), 'zzzzzzzz') }, parts, sign],
  ])('is not trusted with %s', (_, one, reader, key) => {
    expect(readMark(one, reader, key)).toEqual({ print, trusted: false })
  })

  it.each([
    '',
    'x',
    `pilotlight:dep_2:${print}`,
    `pilotlight:${deployment}:${print.slice(1)}`,
    ` pilotlight:${deployment}:${print}`,
    `PILOTLIGHT:${deployment}:${print}`,
    `pilotlight:${deployment}:${print.toUpperCase()}`,
    `${displayName}:x`,
  ])('is nobody of ours as %j', (other) => {
    expect(readMark({ ...listed, displayName: other }, parts, sign)).toBeNull()
  })

  it('tells credentials of accounts apart by name and generation', () => {
    const of = (account: string, credential: string, credentialGeneration: number) =>
      markScope({ account, credential, credentialGeneration })
    expect(new Set([markScope(null), of('a', 'x', 1), of('a', 'x', 2), of('b', 'x', 1), of('a', 'y', 1)])).toHaveLength(
      5,
    )
  })
})

describe('a choice of listed caches', () => {
  const one = (name: string, more: Partial<{ tokens: number | null; createdAt: number; expiresAt: number }> = {}) => ({
    name,
    tokens: 1_000,
    createdAt: NOW,
    expiresAt: NOW + HOUR_MS,
    ...more,
  })
  const known = { measuredTokens: null, estimatedTokens: 1_000 }
  const namesOf = (
    listed: ReturnType<typeof one>[],
    of = known as { measuredTokens: number | null; estimatedTokens: number },
  ) => {
    const { adopted, surplus } = chooseListed(listed, of, NOW)
    return [adopted?.name ?? null, surplus.map(({ name }) => name)]
  }

  it('is the same in whatever order they are listed', () => {
    const all = [
      one('b'),
      one('a'),
      one('long', { expiresAt: NOW + 2 * HOUR_MS, createdAt: NOW + 5 }),
      one('early', { createdAt: NOW - 5 }),
    ]
    const expected = ['long', ['early', 'a', 'b']]
    for (let turn = 0; turn < all.length; turn++)
      expect(namesOf([...all.slice(turn), ...all.slice(0, turn)])).toEqual(expected)
  })

  it('leaves out those that end soon, and those of another size', () => {
    expect(namesOf([one('ending', { expiresAt: NOW + 59_000 })])).toEqual([null, []])
    expect(namesOf([one('uncounted', { tokens: null })])).toEqual([null, []])
    expect(namesOf([one('larger', { tokens: 4_001 }), one('smaller', { tokens: 249 })])).toEqual([null, []])
    expect(namesOf([one('counted', { tokens: 999 })], { ...known, measuredTokens: 1_000 })).toEqual([null, []])
    expect(namesOf([one('right')], { ...known, measuredTokens: 1_000 })).toEqual(['right', []])
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
    ['is left alone without a trusted mark', 'h/2', NOW + HOUR_MS, lacking, { ...idle, trusted: false }, 'leave'],
    ['is kept without a trusted mark', 'h/1', NOW + HOUR_MS, has, { ...idle, trusted: false }, 'keep'],
    ['is left alone while it is being deleted', 'h/2', NOW + HOUR_MS, lacking, { ...idle, dropping: true }, 'leave'],
  ] as const)('%s', (_, name, expiresAt, state, current, verdict) => {
    expect(listedAction(name, expiresAt, state, current)).toBe(verdict)
  })
})
