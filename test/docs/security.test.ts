import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { readText, root, section, tableRows } from './documents.ts'

const page = readText('docs/security.md')
const rows = (heading: string) => tableRows(section(page, heading))
const listed = (cell = '') => cell.split(',').map((one) => one.trim())

interface Named {
  file: string
  titles: string[]
}

/** Tests that a cell names: a file in backticks, and the titles of its tests in quotation marks. */
function testsIn(cell = ''): Named[] {
  return cell.split(/;\s*(?=`)/).map((part) => ({
    file: /^\s*`(test\/[^`]+)`: /.exec(part)?.[1] ?? '',
    titles: [...part.matchAll(/“([^”]+)”/g)].map(([, title]) => title ?? ''),
  }))
}

/** Titles of the tests of a file, as they are written there. */
function titlesOf(source: string): Set<string> {
  const titles = source.matchAll(/\b(?:it|test)(?:\.each\((?:[^()]|\([^()]*\))*\))?\(\s*(?:'([^'\n]+)'|"([^"\n]+)")/g)
  return new Set([...titles].map(([, single, double]) => single ?? double ?? ''))
}

describe('docs/security.md, the threat model', () => {
  const promises = rows('Promises')

  it('names for each promise a test that exists, by its file and its title', () => {
    expect(promises.length).toBeGreaterThan(20)
    const missing = promises.flatMap(([promise, , , cell]) => {
      const named = testsIn(cell)
      return named.flatMap(({ file, titles }) => {
        if (titles.length === 0) return [`${promise}: no test is named`]
        if (!existsSync(join(root, file))) return [`${promise}: there is no ${file}`]
        const known = titlesOf(readText(file))
        return titles.filter((title) => !known.has(title)).map((title) => `${file} has no test “${title}”`)
      })
    })
    expect(missing).toEqual([])
  })

  it('protects each asset against actors that it names, and leaves none without a promise', () => {
    const assets = rows('Assets').map(([asset]) => asset)
    const actors = rows('Actors').map(([actor]) => actor)
    for (const [promise, of, against] of promises) {
      expect([promise, listed(of).filter((one) => !assets.includes(one))]).toEqual([promise, []])
      expect([promise, listed(against).filter((one) => !actors.includes(one))]).toEqual([promise, []])
    }
    const protectedAssets = promises.flatMap(([, of]) => listed(of))
    expect(assets.filter((asset) => !protectedAssets.includes(asset ?? ''))).toEqual([])
    const refused = promises.flatMap(([, , against]) => listed(against))
    // The administrator is trusted with all accounts, as the page says.
    expect(actors.filter((actor) => actor !== 'administrator' && !refused.includes(actor ?? ''))).toEqual([])
  })

  it('says what a Worker cannot see', () => {
    const unseen = section(page, 'What a Worker cannot see')
    expect(unseen).toMatch(/address behind a name/)
    expect(unseen).toMatch(/rebinding/)
  })

  it('would notice a test that was renamed, and one in a comment', () => {
    expect(titlesOf("// nothing\nit('stands', () => {})").has('stands')).toBe(true)
    expect(titlesOf("it.each([['a', f(1)]])('stands for %s', () => {})").has('stands for %s')).toBe(true)
    expect(titlesOf("describe('stands', () => {})").has('stands')).toBe(false)
  })
})
