import { globSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { STOP_REASONS, stopReasonIs } from '../../../src/core/prefix/stop-reasons.ts'
import type { StopReason, StopTraits } from '../../../src/core/prefix/stop-reasons.ts'
import { money } from '../../dashboard/page-text.ts'
import { names, readText, root, section, tableRows } from '../../docs/documents.ts'

const REASONS = Object.keys(STOP_REASONS) as StopReason[]
const having = (trait: keyof StopTraits): string[] => REASONS.filter((reason) => stopReasonIs(reason, trait)).toSorted()

/** The reasons that a document names between two of its words. */
function namedIn(text: string, from: string, to: string): string[] {
  const start = text.indexOf(from)
  if (start < 0) throw new Error(`the document does not say: ${from}`)
  return names(text.slice(start + from.length, text.indexOf(to, start))).toSorted()
}

it('the table gives a reason of a newer version no trait', () => {
  for (const unknown of ['of_tomorrow', 'constructor', '__proto__'] as unknown as StopReason[])
    expect(stopReasonIs(unknown, 'alerts')).toBe(false)
})

describe('docs/planner.md', () => {
  const planner = readText('docs/planner.md')

  it('explains every reason', () => {
    const explained = tableRows(section(planner, 'Why a plan rests')).flatMap(([cell]) => names(cell))
    expect(explained.toSorted()).toEqual(REASONS.toSorted())
  })

  it.each([
    ['endedByArrival', 'plan that rested for one of these reasons:', '.\n'],
    ['endedByWindow', 'and ends a rest at', '. A `to`'],
    ['endedByPending', 'It ends a rest at', '; what has lapsed'],
  ] as const)('names the reasons of %s', (trait, from, to) => {
    expect(namedIn(planner, from, to)).toEqual(having(trait))
  })
})

it('docs/api.md lists the stops that alert, under the webhook', () => {
  expect(namedIn(readText('docs/api.md'), 'Told are stops that need somebody:', 'Not told are')).toEqual(
    having('alerts'),
  )
})

it('the dashboard says of every stop that alerts what starts the plan again', () => {
  expect(Object.keys(money.AGAIN).toSorted()).toEqual(having('alerts'))
})

/** Lists of stop reasons in a source text: two or more of them in one array. */
function privateLists(text: string): string[] {
  return [...text.matchAll(/\[\s*(?:'\w+',?\s*)+\]/g)]
    .map(([list]) => list)
    .filter((list) => [...list.matchAll(/'(\w+)'/g)].filter(([, name = '']) => name in STOP_REASONS).length > 1)
}

describe('a list of stop reasons', () => {
  it('is found in a source text', () => {
    expect(privateLists("const OURS = [\n  'lapsed',\n  'break_even',\n]")).toHaveLength(1)
    expect(privateLists("const STEPS = ['lapsed', 'renewed']; const plans = ['auto', 'off']")).toEqual([])
  })

  it('stands in no file of src beside the table', () => {
    const found = globSync('src/**/*.ts', { cwd: root }).flatMap((path) =>
      privateLists(readText(path)).map((list) => `${path}: ${list}`),
    )
    expect(found).toEqual([])
  })
})
