import { spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, expect, it } from 'vitest'

const root = resolve(import.meta.dirname, '../..')
const folder = mkdtempSync(join(tmpdir(), 'state-size-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const MB = 1024 * 1024
/** A database's log is written back when it has a thousand pages of 4 KiB. */
const LOG_BYTES = 4.2 * MB

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((settle) => server.listen(0, '127.0.0.1', settle))
  const address = server.address()
  await new Promise((settle) => server.close(settle))
  return typeof address === 'object' && address !== null ? address.port : 0
}

/** Runs the product for some virtual time, at 60 × real time. */
async function run(time: string): Promise<number | null> {
  const devVars = join(folder, 'keys')
  writeFileSync(devVars, '')
  const ports = ['--port', String(await freePort()), '--lab-port', String(await freePort())]
  const args = [
    '--state',
    join(folder, 'state'),
    '--dev-vars',
    devVars,
    '--speed',
    '60',
    '--for',
    time,
    ...ports,
    '--json',
  ]
  const child = spawn(process.execPath, [join(root, 'scripts/start.ts'), ...args], { cwd: root, stdio: 'ignore' })
  return new Promise((settle) => child.on('close', (code) => settle(code)))
}

/** Every file of the state with its size, under a name without ids and times. */
function files(): Map<string, number> {
  const state = join(folder, 'state')
  const all = readdirSync(state, { recursive: true, withFileTypes: true }).filter((file) => file.isFile())
  return new Map(
    all.map((file) => {
      const place = join(file.parentPath, file.name)
      return [place.slice(state.length), statSync(place).size]
    }),
  )
}
const isLog = (name: string): boolean => name.endsWith('.log')
const isDatabase = (name: string): boolean => name.endsWith('.sqlite')
const sum = (sizes: Map<string, number>, of: (name: string) => boolean): number =>
  [...sizes].filter(([name]) => of(name)).reduce((total, [, size]) => total + size, 0)

it('the state of npm start does not grow with time, and keeps no URL', async () => {
  expect(await run('15m')).toBe(0)
  const before = files()
  expect(await run('45m')).toBe(0)
  const after = files()
  // A database has these beside it or not, as it was closed.
  const isNew = (name: string): boolean => !before.has(name) && !/-(?:wal|shm)$/.test(name)
  expect([...after.keys()].filter(isNew)).toEqual([])
  // Each start begins its logs anew, and thrice the time writes no more into them.
  expect(sum(after, isLog)).toBeLessThan(1.5 * sum(before, isLog) + 4_096)
  expect([...after].filter(([name, size]) => name.endsWith('-wal') && size > LOG_BYTES)).toEqual([])
  // What the prefixes' histories and the lab's transcript took in 45 virtual minutes.
  expect(sum(after, isDatabase) - sum(before, isDatabase)).toBeLessThan(3 * MB)
  const logs = [...after.keys()].filter(isLog).map((name) => readFileSync(join(folder, 'state', name), 'utf8'))
  expect(logs.join('\n')).not.toMatch(/(?:GET|POST) \//)
})
