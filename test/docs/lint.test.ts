import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { MAX_FINDINGS } from '../../src/registration/findings.ts'
import { MAX_LINT_CHARACTERS } from '../../src/core/lint/lint.ts'
import { TEXT_RULES } from '../../src/core/lint/text-rules.ts'
import { lintBench } from '../../bench/lint.ts'
import { names, readText, root, section, tableRows } from './documents.ts'

const page = readText('docs/lint.md')

it('explains every cause that the code knows, and no other', () => {
  const sources = globSync('src/**/{lint/*,findings,faults}.ts', { cwd: root }).map((path) =>
    readFileSync(join(root, path), 'utf8'),
  )
  const known = new Set([
    ...TEXT_RULES.map(({ cause }) => cause),
    ...sources.flatMap((text) =>
      [...text.matchAll(/(?:cause: |finding\(|fault\([^,]+,\s+|cannot\(\s*)'(\w+)'/g)].map(([, cause]) => cause ?? ''),
    ),
    'no_marker', // found by the wire formats
  ])
  const described = tableRows(section(page, 'Causes')).map(([cause]) => names(cause)[0])
  expect(described.toSorted()).toEqual([...known].toSorted())
  expect(known.size).toBeGreaterThan(30)
})

it('states the limits as they are', () => {
  expect(page).toContain(`first ${MAX_LINT_CHARACTERS.toLocaleString('en')} characters`)
  expect(page).toContain(`more than ${MAX_FINDINGS} were found`)
})

it('shows what its bench prints', async () => {
  const { figures } = await lintBench()
  const value = (name: string): number | undefined => figures.find((one) => one.name === name)?.value
  expect(page).toContain(`over ${value('clean samples')} clean prompts`)
  expect(page).toContain(`| ${value('false alarms')?.toFixed(2)} % (`)
  expect(page).toContain(`| documents of this project with a false alarm | ${value('false alarms in documents')} % |`)
  expect(page).toContain(`| ${value('planted and found')} % of`)
})
