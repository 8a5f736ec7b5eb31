import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import { DIRECTORY_STEPS, migrate, REGISTRY_STEPS } from '../../src/durable/migrations.ts'
import { nodeSql } from '../support/node-sql.ts'
import { names, readText, root, section, tableRows } from './documents.ts'

const storage = readText('docs/storage.md')

function tablesOf(steps: readonly string[][]): string[] {
  const sql = nodeSql()
  migrate(sql, steps)
  const found = sql.all<{ name: string }>(
    "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
  )
  sql.close()
  return found.map(({ name }) => name).toSorted()
}

/** Keys that the stores read or write in their table of settings. */
function settingKeys(files: string[]): string[] {
  const text = files.map((file) => readFileSync(resolve(root, file), 'utf8')).join('\n')
  const found = [...text.matchAll(/(?:setting|saveSetting)\('(\w+)'|name = '(\w+)'|INTO setting VALUES \('(\w+)'/g)]
  return [...new Set(found.map(([, a, b, c]) => a ?? b ?? c ?? ''))].toSorted()
}

const objects = [
  {
    heading: 'Registry: one per account',
    steps: REGISTRY_STEPS,
    files: ['src/durable/registry-store.ts', 'src/durable/registry.ts'],
  },
  {
    heading: 'Directory: one per deployment',
    steps: DIRECTORY_STEPS,
    files: ['src/durable/directory-store.ts', 'src/durable/directory.ts'],
  },
]

describe.each(objects)('docs/storage.md, $heading', ({ heading, steps, files }) => {
  const [tables = '', keys = ''] = section(storage, heading).split(/^Keys in `setting`:$/m)

  it('describes every table and no other', () => {
    expect(
      tableRows(tables)
        .map(([name]) => names(name)[0])
        .toSorted(),
    ).toEqual(tablesOf(steps))
  })

  it('describes every key of the settings and no other', () => {
    expect(
      tableRows(keys)
        .map(([name]) => names(name)[0])
        .toSorted(),
    ).toEqual(settingKeys(files))
  })
})

it('says for every table how long it lives', () => {
  for (const { heading } of objects) {
    const [tables = ''] = section(storage, heading).split(/^Keys in `setting`:$/m)
    expect(tableRows(tables).filter((row) => !/\w/.test(row[3] ?? ''))).toEqual([])
  }
})
