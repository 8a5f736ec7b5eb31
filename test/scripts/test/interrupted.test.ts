import { spawn } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, describe, expect, it, vi } from 'vitest'
import { processes } from '../../../scripts/start/process-list.ts'

/** Replaces vitest: it has a worker in its own group and a product in another group that ignores SIGTERM, and it never ends. */
const runner = `#!/usr/bin/env node
const { spawn } = require('node:child_process')
const stay = "process.on('SIGTERM', () => {}); setInterval(() => {}, 1000); console.log('stays')"
const start = (detached) => new Promise((settle) => {
  const child = spawn(process.execPath, ['-e', stay, process.argv.at(-1)], { detached, stdio: ['ignore', 'pipe', 'ignore'] })
  child.stdout.once('data', settle)
})
Promise.all([start(false), start(true)]).then(() => {
  if (process.argv.includes('--end')) process.exit(1)
  setInterval(() => {}, 1000)
  console.log('all run')
})
`

/** Creates a small project with this one's scripts. Its path is in the command line of each process that it starts. */
const folder = mkdtempSync(join(tmpdir(), 'interrupted-'))
const bin = join(folder, 'node_modules/.bin')
mkdirSync(bin, { recursive: true })
cpSync(resolve(import.meta.dirname, '../../../scripts'), join(folder, 'scripts'), { recursive: true })
symlinkSync(process.execPath, join(bin, 'node'))
writeFileSync(join(bin, 'vitest'), runner, { mode: 0o755 })
const manifest = { type: 'module', scripts: { test: 'node scripts/run.mjs scripts/test.ts' } }
writeFileSync(join(folder, 'package.json'), JSON.stringify(manifest))
writeFileSync(join(folder, 'package-lock.json'), '{"packages":{}}')
writeFileSync(join(folder, 'node_modules/.package-lock.json'), '{"packages":{}}')
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const left = (): string[] =>
  processes()
    .filter(({ command }) => command.includes(folder))
    .map(({ command }) => command)
const allGone = (): Promise<boolean> => vi.waitUntil(() => left().length === 0, { timeout: 30_000, interval: 50 })

interface Run {
  pid: number
  runs: Promise<void>
  ended: Promise<number | null>
}

function npmTest(...options: string[]): Run {
  const child = spawn('npm', ['test', '--silent', '--', ...options, folder], {
    cwd: folder,
    detached: true,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const runs = new Promise<void>((settle) => {
    child.stdout.on('data', (chunk: Buffer) => chunk.includes('all run') && settle())
  })
  const ended = new Promise<number | null>((settle) => child.on('exit', settle))
  return { pid: child.pid ?? 0, runs, ended }
}

describe('npm test leaves no process behind', () => {
  it.each([
    ['by Ctrl-C, which reaches the whole group', 'SIGINT', -1],
    ['by SIGTERM to npm alone', 'SIGTERM', 1],
    ['by SIGKILL to npm alone', 'SIGKILL', 1],
    ['by SIGKILL to npm and all of its group', 'SIGKILL', -1],
  ] as const)('when it is ended %s', async (_how, signal, sign) => {
    const { pid, runs, ended } = npmTest()
    await runs
    expect(left().length).toBeGreaterThan(4) // npm, our scripts, the tether, vitest and its children
    process.kill(sign * pid, signal)
    expect(await ended).not.toBe(0)
    expect(await allGone()).toBe(true)
  })

  it('when vitest leaves some behind, and passes on that it failed', async () => {
    const { ended } = npmTest('--end')
    expect(await ended).toBe(1)
    expect(left()).toEqual([])
  })
})
