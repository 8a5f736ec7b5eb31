import { describe, expect, it } from 'vitest'
import { VERDICTS } from '../../src/core/diagnosis/verdicts.ts'
import { readText } from './documents.ts'

const page = readText('docs/misses.md')

describe('docs/misses.md', () => {
  it.each(Object.entries(VERDICTS))('explains %s as the answer does', (name, { group, says, fix }) => {
    expect(page).toContain(`| \`${name}\` | ${group === 'none' ? '–' : group} | ${says} ${fix} |`)
  })

  it('explains no other verdict', () => {
    const [, table = ''] = page.split('## Verdicts')
    expect([...table.matchAll(/^\| `(\w+)` \|/gm)].map(([, name]) => name)).toEqual(Object.keys(VERDICTS))
  })
})
