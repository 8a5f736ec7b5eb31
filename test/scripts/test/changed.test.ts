import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { changedFiles, choose } from '../../../scripts/test/changed.ts'
import { importsOf, type Imports } from '../../../scripts/test/imports.ts'

const imports: Imports = new Map([
  ['src/core/plan.ts', []],
  ['src/durable/keeper.ts', ['src/core/plan.ts']],
  ['src/worker.ts', ['src/durable/keeper.ts']],
  ['test/core/plan.test.ts', ['src/core/plan.ts']],
  ['test/core/price.test.ts', []],
  ['test/durable/keeper.test.ts', ['src/durable/keeper.ts']],
  ['test/durable/world.test.ts', ['src/durable/keeper.ts']],
  ['test/http/warm.workerd.test.ts', ['src/worker.ts']],
  ['test/e2e/killed.test.ts', ['src/core/plan.ts']],
  ['test/house/layers.test.ts', []],
])

describe('what a change is likely to break', () => {
  it('is the tests that import it, nearest first, and those that read every file', () => {
    expect(choose(['src/core/plan.ts'], imports, {}).run).toEqual([
      'test/core/plan.test.ts',
      'test/house/layers.test.ts',
      'test/durable/keeper.test.ts',
      'test/durable/world.test.ts',
      'test/http/warm.workerd.test.ts',
    ])
  })

  it('is left to the whole run if it does not fit into the time, or starts whole products', () => {
    expect(choose(['src/core/plan.ts'], imports, { 'test/durable/world.test.ts': 100_000 }).left).toEqual([
      'test/e2e/killed.test.ts',
      'test/durable/world.test.ts',
    ])
  })

  it('always includes a changed test file', () => {
    const changed = ['test/e2e/killed.test.ts', 'test/durable/world.test.ts']
    expect(choose(changed, imports, { 'test/durable/world.test.ts': 100_000 }).run).toEqual(
      expect.arrayContaining(changed),
    )
  })
})

describe('imports', () => {
  it('are read in every form, without types', () => {
    const text = `import { a } from './a.ts'
import {
  b,
  type B,
} from '../b.ts'
import type { C } from './c.ts'
export * from './d.ts'
import './e.ts'
const f = await import('./f.ts')
import * as z from 'zod'
`
    expect(importsOf('test/core/x.test.ts', text)).toEqual([
      'test/core/a.ts',
      'test/b.ts',
      'test/core/d.ts',
      'test/core/e.ts',
      'test/core/f.ts',
    ])
  })

  it('of a test in the runtime have the whole Worker behind them', () => {
    expect(importsOf('test/http/x.workerd.test.ts', '')).toEqual(['src/worker.ts'])
  })
})

it('a change is the uncommitted files, else the last commit, or the difference to a commit', () => {
  const folder = mkdtempSync(join(tmpdir(), 'changed-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const git = (...args: string[]): unknown =>
    execFileSync('git', ['-c', 'user.name=a', '-c', 'user.email=a@test', ...args], { cwd: folder })
  const commit = (name: string): void => {
    writeFileSync(join(folder, name), name)
    git('add', '.')
    git('commit', '-q', '-m', name)
  }
  git('init', '-q')
  commit('first')
  git('tag', 'start')
  commit('second')
  commit('third one')
  expect(changedFiles(folder, '')).toEqual(['third one'])
  expect(changedFiles(folder, 'start')).toEqual(['second', 'third one'])
  writeFileSync(join(folder, 'second'), 'changed')
  writeFileSync(join(folder, 'new'), 'new')
  expect(changedFiles(folder, '')).toEqual(['second', 'new'])
})
