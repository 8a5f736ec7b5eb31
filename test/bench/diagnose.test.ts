import { describe, expect, it } from 'vitest'
import { corpus } from '../../bench/diagnose/corpus.ts'
import { answered, ours, scoreOf } from '../../bench/diagnose/report.ts'
import { VERDICT_NAMES } from '../../src/core/diagnosis/verdicts.ts'

const all = corpus()

describe('the labelled corpus', () => {
  it('has at least 45 causes, in five wire formats', () => {
    expect(new Set(all.map(({ name }) => name)).size).toBeGreaterThanOrEqual(45)
    expect(new Set(all.map(({ format }) => format)).size).toBe(5)
  })

  it('has a case for every verdict', () => {
    const labelled = new Set(all.map(({ expect: verdict }) => verdict))
    // A router's answer names its provider, and no format of the corpus has a router.
    expect(VERDICT_NAMES.filter((name) => !labelled.has(name))).toEqual(['provider_flipped'])
  })
})

describe('verdicts', () => {
  const found = answered(all, ours)

  it.each(found)('$name ($format) is $expect', ({ verdict, confidence, expect: label, identifiable }) => {
    if (identifiable) {
      expect(verdict).toBe(label)
      expect(confidence).toBeGreaterThanOrEqual(0.7)
    } else expect(verdict === 'unknown' || confidence < 0.7).toBe(true)
  })
})

describe('the score', () => {
  const [one] = all
  if (one === undefined) throw new Error('the corpus is empty')
  const answer = (verdict: string, confidence: number, identifiable = true) => ({
    ...one,
    expect: 'expired',
    identifiable,
    verdict,
    confidence,
  })

  it('counts a verdict below 0.7 as abstained, not as right', () => {
    expect(scoreOf([answer('expired', 0.69), answer('expired', 0.7)])).toMatchObject({
      top1: 0.5,
      abstained: 0.5,
      wrong: 0,
    })
  })

  it('counts a sure verdict on a case that nothing decides as wrong', () => {
    expect(scoreOf([answer('expired', 0.9, false), answer('unknown', 0.9, false)])).toMatchObject({
      wrong: 1,
      confident_wrong: 0.5,
    })
  })
})
