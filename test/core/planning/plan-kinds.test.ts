import { globSync } from 'node:fs'
import { sep } from 'node:path'
import { describe, expect, it } from 'vitest'
import { planKind, probesAsked } from '../../../src/core/planning/plan-kinds.ts'
import { readText, root } from '../../docs/documents.ts'

it('the table gives {"probes": N} a row of its own, and its number', () => {
  expect(planKind({ probes: 3 })).toMatchObject({ sends: true, revives: false, stopsAtBreakEven: false })
  expect([probesAsked({ probes: 3 }), probesAsked({ probes: 0 }), probesAsked('always')]).toEqual([3, 0, null])
})

it('the table lets exactly one plan send nothing, one revive and one stop at the break-even', () => {
  const plans = ['auto', 'always', 'off', { probes: 3 }] as const
  expect(plans.filter((plan) => !planKind(plan).sends)).toEqual(['off'])
  expect(plans.filter((plan) => planKind(plan).revives)).toEqual(['always'])
  expect(plans.filter((plan) => planKind(plan).stopsAtBreakEven)).toEqual(['auto'])
})

/** Places where a source text asks for a kind of plan by its name. The replay of src/cli/simulate names its own columns so. */
function comparisons(text: string): string[] {
  const literal = `['"](?:auto|always|off)['"]`
  const compared = new RegExp(
    `\\bplan\\b[^\\n]{0,20}?(?:[!=]==?) ?${literal}|${literal} ?[!=]==? ?[\\w.?]*\\bplan\\b`,
    'gi',
  )
  const shape = /typeof [\w.?]*\bplan\b|\bplan\.probes\b|'probes' in [\w.?]*\bplan\b/gi
  const cases = /switch \([\w.?]*\bplan\b/gi
  return [compared, shape, cases].flatMap((pattern) => [...text.matchAll(pattern)].map(([found]) => found))
}

describe('a comparison with a kind of plan', () => {
  it.each([
    "if (keepWarm.plan === 'auto') return",
    "record.keepWarm?.plan !== 'off' && due",
    "return 'always' === context.keepWarm.plan",
    "switch (keepWarm.plan) { case 'auto': }",
    "typeof plan === 'object' ? plan.probes : 0",
  ])('is found in: %s', (text) => {
    expect(comparisons(text)).not.toEqual([])
  })

  it.each([
    "body.lint === 'off' ? [] : findingsOf(card)",
    "cache.retention === 'auto' ? null : cache.retention",
    "const without = runs(holding, { plan: 'off', idleTimeoutMs: null })",
    'planKind(keepWarm.plan).sends',
  ])('is not seen in: %s', (text) => {
    expect(comparisons(text)).toEqual([])
  })

  it('stands in no file of src beside the table', () => {
    const found = globSync('src/**/*.ts', { cwd: root })
      .map((path) => path.split(sep).join('/'))
      .filter(
        (path) =>
          path !== 'src/core/planning/plan-kinds.ts' && !/^src\/(contract|cli\/(simulate|commands))\//.test(path),
      )
      .flatMap((path) => comparisons(readText(path)).map((text) => `${path}: ${text}`))
    expect(found).toEqual([])
  })
})
