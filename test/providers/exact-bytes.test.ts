import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { fingerprint } from '../../src/core/prompt/fingerprint.ts'
import { byteOffset, items, member, readJson } from '../../src/core/prompt/json-text.ts'
import type { JsonObject } from '../../src/core/prompt/json-text.ts'
import { CASES, given, setUp } from './bodies.ts'
import type { Given } from './bodies.ts'
import { canMark, compare, developerTurns, follow } from './exactness.ts'
import { NUMBERS, promptText, spell, style } from './spelled.ts'

const RUNS = { numRuns: 150 }

describe.each(CASES)('$provider with $model', (kind) => {
  const { dialect, facts, prepare } = setUp(kind)

  test('a probe equals the registered body byte for byte', () => {
    fc.assert(
      fc.property(
        given,
        style,
        fc.constantFrom(undefined, 1),
        fc.constantFrom(...kind.retentions),
        (one, choices, last, retention) => {
          const text = spell(kind.build(one), choices)
          const prefix = prepare(text, lastOf(last))
          const registered = readJson(text) as JsonObject
          const end = last === undefined ? developerTurns(kind) : developerTurns(kind) + one.shots.length
          expect(items(member(readJson(prefix.text), kind.turns))).toHaveLength(end)

          for (const primitive of dialect.primitives(prefix.text, facts(kind.model))) {
            if (!canMark(kind, primitive, last, one)) continue
            const sent = dialect.probe(prefix, { primitive, retention })
            JSON.parse(sent.body) // what the provider's parser makes of it
            const probe = readJson(sent.body) as JsonObject
            compare(kind, { text, node: registered }, { text: sent.body, node: probe }, end, primitive)
          }
        },
      ),
      RUNS,
    )
  })

  test('the breakpoint is the byte behind the last element of the prefix', () => {
    fc.assert(
      fc.property(given, style, fc.constantFrom(undefined, 1), (one, choices, last) => {
        const prefix = prepare(spell(kind.build(one), choices), lastOf(last))
        const node = follow(readJson(prefix.text), prefix.breakpoint.path)
        expect(prefix.breakpoint.byte).toBe(byteOffset(prefix.text, node.end))
      }),
      RUNS,
    )
  })

  test('one content has one fingerprint, whatever its spacing, escapes and last turn', () => {
    fc.assert(
      fc.property(given, style, style, promptText, (one, a, b, other) => {
        const first = prepare(spell(kind.build(one), a))
        const second = prepare(spell(kind.build({ ...one, last: other }), b))
        expect(print(second)).toBe(print(first))
      }),
      RUNS,
    )
  })

  test('another key order, number or text is another fingerprint', () => {
    fc.assert(
      fc.property(given, style, fc.constantFrom(...NUMBERS), fc.nat(), (one, choices, number, where) => {
        const first = print(prepare(spell(kind.build(one), choices)))
        const changed: Given[] = [
          { ...one, system: `${one.system}.` },
          { ...one, schema: one.schema.toReversed() },
          {
            ...one,
            schema: one.schema.map(([key, entry], n) => [n === where % one.schema.length ? `${key}'` : key, entry]),
          },
          ...(number === one.number ? [] : [{ ...one, number }]),
        ]
        for (const variant of changed) expect(print(prepare(spell(kind.build(variant), choices)))).not.toBe(first)
      }),
      RUNS,
    )
  })

  test('another message in front of the end is another fingerprint', () => {
    fc.assert(
      fc.property(
        given.filter(({ shots }) => shots.length > 0),
        style,
        fc.nat(),
        (one, choices, where) => {
          const first = print(prepare(spell(kind.build(one), choices), { last: 1 }))
          const shots = one.shots.map((text, n) => (n === where % one.shots.length ? `${text}.` : text))
          expect(print(prepare(spell(kind.build({ ...one, shots }), choices), { last: 1 }))).not.toBe(first)
        },
      ),
      RUNS,
    )
  })
})

function print({ canonical, model, cacheKey }: { canonical: string; model: string; cacheKey: string | null }): string {
  return fingerprint({ provider: 'p', model, credentialScope: 's', cacheKey, canonical })
}

function lastOf(last: number | undefined) {
  return last === undefined ? undefined : { last }
}
