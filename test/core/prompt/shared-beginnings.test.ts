import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { sharedBeginnings } from '../../../src/core/prompt/shared-beginnings.ts'

const from = (least: number) => (_index: number, length: number) => (length < least ? 0 : length)

describe('texts that begin alike', () => {
  it('are one group with all that they share', () => {
    expect(sharedBeginnings(['abcde-one', 'abcde-two', 'abcde-ten'], from(3))).toEqual([
      { members: [0, 1, 2], length: 6 },
    ])
  })

  it('leave out a text that would cost the others most of what they share', () => {
    const long = 'x'.repeat(100)
    const texts = [`${long}1`, 'xxxx-other', `${long}2`, `${long}3`]
    expect(sharedBeginnings(texts, from(3))).toEqual([{ members: [0, 2, 3], length: 100 }])
  })

  it('take a text in where together they save more', () => {
    const texts = ['aaaaaaaa-1', 'aaaaaaaa-2', 'aaaaaaab', 'aaaaaaac', 'aaaaaaad']
    expect(sharedBeginnings(texts, from(3))).toEqual([{ members: [0, 1, 2, 3, 4], length: 7 }])
  })

  it('are several groups where they begin in several ways', () => {
    const texts = ['north-1', 'south-1', 'north-2', 'south-2', 'west']
    expect(sharedBeginnings(texts, from(4))).toEqual([
      { members: [0, 2], length: 6 },
      { members: [1, 3], length: 6 },
    ])
  })

  it('are whole where they are equal, or one begins the other', () => {
    expect(sharedBeginnings(['same', 'same'], from(1))).toEqual([{ members: [0, 1], length: 4 }])
    expect(sharedBeginnings(['same', 'same and more'], from(1))).toEqual([{ members: [0, 1], length: 4 }])
  })

  it('share nothing below the least', () => {
    expect(sharedBeginnings(['abc1', 'abc2'], from(4))).toEqual([])
    expect(sharedBeginnings([], from(1))).toEqual([])
    expect(sharedBeginnings(['alone'], from(1))).toEqual([])
  })

  it('never cut a pair of surrogates', () => {
    const [{ length } = { length: -1 }] = sharedBeginnings(['head 😀', 'head 😁'], from(1))
    expect(length).toBe(5)
  })

  it('are in one group each, begin with what it says, and save no less than all together would', () => {
    const text = fc.array(fc.constantFrom('a', 'b'), { maxLength: 8 }).map((letters) => letters.join(''))
    fc.assert(
      fc.property(fc.array(text, { maxLength: 10 }), fc.integer({ min: 1, max: 4 }), (texts, least) => {
        const groups = sharedBeginnings(texts, from(least))
        const members = groups.flatMap((group) => group.members)
        expect(new Set(members).size).toBe(members.length)
        for (const group of groups) {
          expect(group.members.length).toBeGreaterThan(1)
          expect(group.length).toBeGreaterThanOrEqual(least)
          expect(new Set(group.members.map((index) => texts[index]!.slice(0, group.length))).size).toBe(1)
        }
        const saved = groups.reduce((sum, group) => sum + (group.members.length - 1) * group.length, 0)
        for (const [one, text] of texts.entries()) {
          for (const [other, second] of texts.entries()) {
            if (one >= other) continue
            let common = 0
            while (common < text.length && text[common] === second[common]) common++
            if (common >= least) expect(saved).toBeGreaterThanOrEqual(common)
          }
        }
      }),
    )
  })
})
