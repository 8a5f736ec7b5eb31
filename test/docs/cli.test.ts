import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { EXIT } from '../../src/cli/remote/exit.ts'
import { nameOfSpec, remoteCommands } from '../../src/cli/program.ts'

const text = readFileSync(join(import.meta.dirname, '../../docs/cli.md'), 'utf8')
const [, commands = '', exits = ''] = /## Commands([\s\S]*?)## On[\s\S]*## Exit codes([\s\S]*)$/.exec(text) ?? []

it('docs/cli.md has every command, and no other', () => {
  const cells = [...commands.matchAll(/^\| (`.*?`) \|/gm)].map(([, cell = '']) => cell)
  const told = cells.flatMap((cell) => [...cell.matchAll(/`([a-z]+)`/g)].map(([, name]) => name))
  expect(told.toSorted()).toEqual(
    ['lint', 'why', 'simulate', 'completion', ...remoteCommands.map(nameOfSpec)].toSorted(),
  )
})

it('docs/cli.md has every exit code', () => {
  const told = [...exits.matchAll(/^\| (\d+) \|/gm)].map(([, code]) => Number(code))
  expect(told).toEqual([...new Set([...Object.values(EXIT), 2])].toSorted((a, b) => a - b))
})
