import { readdirSync, readFileSync } from 'node:fs'
import { basename, extname, join } from 'node:path'
import { expect, it } from 'vitest'

const test = join(import.meta.dirname, '..')
const files = (folder: string, wanted: RegExp): string[] =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(
    (path) => wanted.test(path) && !path.includes('node_modules'),
  )

/** Cases that no test names; each test names its files one by one. */
function unused(cases: readonly string[], texts: readonly string[]): string[] {
  return cases.filter((path) => !texts.some((text) => new RegExp(`(?:['"/]|^)${basename(path)}`).test(text)))
}

const texts = files(test, /\.test\.ts$/).map((path) => readFileSync(join(test, path), 'utf8'))
const cases = files(join(test, 'cases'), /\.(?:jsonl?|csv)$/)

it('every file of test/cases is named by a test', () => {
  expect(cases.length).toBeGreaterThan(40)
  expect(unused(cases, texts)).toEqual([])
})

it('a file that no test names is found', () => {
  const spare = `lint/nobody-reads-this${extname(cases[0] ?? '')}`
  expect(unused([...cases, spare], texts)).toEqual([spare])
})
