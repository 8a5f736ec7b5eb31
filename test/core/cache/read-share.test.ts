import { describe, expect, it } from 'vitest'
import { mayHideColdStart, readShare, shareOfRealRequest, sizeByProbe } from '../../../src/core/cache/read-share.ts'
import { usage } from '../../support/sample.ts'

describe('the share of a prefix that was read', () => {
  it.each([
    [0, 4_017, 1, 'none'],
    [22, 4_017, 1, 'less'],
    [2_008, 4_017, 1, 'less'],
    [2_009, 4_017, 1, 'most'],
    [3_700, 4_017, 1, 'most'],
    [3_817, 4_017, 1, 'whole'],
    [4_017, 4_017, 1, 'whole'],
    [9_000, 4_017, 1, 'whole'],
  ] as const)('%i tokens of %i at a block size of %i are %s', (read, size, block, share) => {
    expect(readShare(read, size, block)).toBe(share)
  })

  it('may end one block before the prefix does, and never below a half', () => {
    expect(readShare(1_280, 1_407, 128)).toBe('whole')
    expect(readShare(1_280, 1_410, 128)).toBe('most')
    expect(readShare(2_048, 3_900, 2_048)).toBe('whole')
    expect(readShare(128, 300, 2_048)).toBe('less')
  })
})

describe('the size of a prefix by a probe', () => {
  it('is what was read where the rest can be the last turn, else the prompt without that turn', () => {
    expect(sizeByProbe(usage(8_023, null, { inputTokens: 8_051 }))).toBe(8_023)
    expect(sizeByProbe(usage(1_280, null, { inputTokens: 1_400 }))).toBe(1_392)
    expect(sizeByProbe(usage(0, null, { inputTokens: 1_400 }))).toBe(1_392)
    expect(sizeByProbe(usage(1_280, null, { inputTokens: null }))).toBeNull()
  })
})

describe('a real request before the first count', () => {
  it('is held against the estimate, or its own prompt where that is shorter', () => {
    const read = (inputTokens: number | null, estimatedTokens?: number) =>
      shareOfRealRequest(usage(1_280, null, { inputTokens }), {
        measuredTokens: null,
        ...(estimatedTokens === undefined ? {} : { estimatedTokens }),
      })
    expect(read(22_000, 21_000)).toBe('less')
    expect(read(1_400, 21_000)).toBe('whole')
    expect(read(null, 1_300)).toBe('whole')
    expect(read(22_000)).toBe('whole')
  })
})

describe('sums over several samplings', () => {
  const known = { measuredTokens: 7_600 }
  const summed = { summed: true } as const

  it('may hide a cold start where what was not read is as long as half of the prefix', () => {
    expect(mayHideColdStart(usage(24_226, 16_600, summed), known)).toBe(true)
    expect(mayHideColdStart(usage(7_600, null, { ...summed, inputTokens: 15_240 }), known)).toBe(true)
    expect(mayHideColdStart(usage(24_226, 900, summed), known)).toBe(false)
    expect(mayHideColdStart(usage(24_226, 16_600), known)).toBe(false)
  })
})
