import { globSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { expect, it } from 'vitest'
import { withoutComments } from './rules.ts'

const root = resolve(import.meta.dirname, '../..')
const timers = (text: string): string[] => withoutComments(text).match(/\bset(?:Timeout|Interval)\b|\.sleep\(/g) ?? []

it('live objects and bots hold no timer: it is billed, and lost with the object', () => {
  const files = globSync('{src/durable/{live,bot}/**/*.ts,examples/supervisor/*.ts}', { cwd: root })
  expect(files.length).toBeGreaterThan(14)
  for (const file of files) expect([file, timers(readFileSync(resolve(root, file), 'utf8'))]).toEqual([file, []])
  expect(timers('setTimeout(done, 5) // setInterval')).toEqual(['setTimeout'])
})
