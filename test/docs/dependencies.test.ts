import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { names, readText, root, section, tableRows } from './documents.ts'

const page = readText('docs/dependencies.md')
const manifest = JSON.parse(readText('package.json')) as Record<
  'dependencies' | 'devDependencies',
  Record<string, string>
>

describe.each([
  ['In the Worker', 'dependencies'],
  ['For development', 'devDependencies'],
] as const)('docs/dependencies.md, %s', (heading, kind) => {
  const rows = tableRows(section(page, heading))

  it('has a sentence for every dependency and for no other', () => {
    expect(rows.map(([name]) => names(name)[0]).toSorted()).toEqual(Object.keys(manifest[kind]).toSorted())
    expect(rows.filter(([, , why]) => !/^[A-Z`].{20,}\.$/.test(why ?? ''))).toEqual([])
  })

  it('states the license that the package states', () => {
    for (const [cell, license] of rows) {
      const file = join(root, 'node_modules', names(cell)[0] ?? '', 'package.json')
      const stated = (JSON.parse(readFileSync(file, 'utf8')) as { license: string }).license
      expect([cell, license]).toEqual([cell, stated.replace(/^\((.*)\)$/, '$1')])
    }
  })

  it('is pinned to exact versions', () => {
    for (const version of Object.values(manifest[kind])) expect(version).toMatch(/^\d+\.\d+\.\d+(-[\w.]+)?$/)
  })
})
