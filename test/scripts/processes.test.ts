import { spawn } from 'node:child_process'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { describe, expect, it, vi } from 'vitest'
import { portFree, stopGroups, tail } from '../../scripts/start/processes.ts'
import { fromPs, processes } from '../../scripts/start/process-list.ts'
import { clearRun, writeRun } from '../../scripts/start/run-record.ts'

const tether = resolve(import.meta.dirname, '../../scripts/start/tether.ts')
const scratch = (name: string): string => join(mkdtempSync(join(tmpdir(), 'processes-')), name)

interface Tethered {
  pid: number
  ended: Promise<string>
  letGo: () => void
}

/** Starts a command with a child under the tether; resolves when both run. A stubborn one ignores SIGTERM. */
async function tethered(stubborn = false): Promise<Tethered> {
  const parent = `
    require('node:child_process').spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' })
    ${stubborn ? "process.on('SIGTERM', () => {})" : ''}
    setInterval(() => {}, 1000)
    console.log('both run')`
  const child = spawn(process.execPath, [tether, process.execPath, '-e', parent], {
    detached: true,
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const ended = new Promise<string>((settle) => child.on('exit', (code, signal) => settle(String(code ?? signal))))
  await new Promise((settle) => child.stdout.once('data', settle))
  return { pid: child.pid ?? 0, ended, letGo: () => void child.stdin.destroy() }
}

const living = (group: number): number => processes().filter((one) => one.group === group).length
const allGone = (group: number): Promise<boolean> =>
  vi.waitUntil(() => living(group) === 0, { timeout: 10_000, interval: 50 })

describe('the processes of npm start', () => {
  it('all go when the starter is gone, however it went', async () => {
    const { pid, letGo } = await tethered()
    expect(living(pid)).toBe(3)
    letGo() // closes the pipe, as a SIGKILL of the starter does
    expect(await allGone(pid)).toBe(true)
  })

  it('all go when the starter stops, also what a command left behind', async () => {
    const one = await tethered()
    await stopGroups([one], 5000)
    expect(await allGone(one.pid)).toBe(true)
  })

  it('all go after the grace when a command does not want to', async () => {
    const one = await tethered(true)
    await stopGroups([one], 200)
    expect(await allGone(one.pid)).toBe(true)
    expect(await one.ended).toBe('SIGKILL')
  })
})

describe('what a killed start leaves behind', () => {
  it('is stopped by the next one', async () => {
    const file = scratch('run.json')
    const { pid } = await tethered()
    writeRun(file, { pid: 4_194_305, port: 1, stopping: false, groups: [pid] })
    expect(clearRun(file)).toBeNull()
    expect(await allGone(pid)).toBe(true)
  })

  it('is not mistaken for a stranger that was given the same number', async () => {
    const file = scratch('run.json')
    const stranger = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { detached: true, stdio: 'ignore' })
    const pid = stranger.pid ?? 0
    await vi.waitUntil(() => processes().some((one) => one.pid === pid && one.command.includes('setInterval')))
    writeRun(file, { pid, port: 1, stopping: false, groups: [pid] })
    expect(clearRun(file)).toBeNull()
    expect(living(pid)).toBe(1)
    stranger.kill('SIGKILL')
  })

  it('holds nothing up when its record was cut off', () => {
    const file = scratch('run.json')
    writeFileSync(file, '{"pid":')
    expect(clearRun(file)).toBeNull()
  })

  it('is found where there is no /proc, too', () => {
    expect(fromPs('  1  1 /sbin/launchd\n 42 40 node tether.ts wrangler dev\n')).toEqual([
      { pid: 1, group: 1, command: '/sbin/launchd' },
      { pid: 42, group: 40, command: 'node tether.ts wrangler dev' },
    ])
  })
})

describe('ports and logs', () => {
  it('tells a port in use from a free one', async () => {
    const server = createServer()
    await new Promise<void>((settle) => server.listen(0, '127.0.0.1', settle))
    const address = server.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    expect(await portFree(port)).toBe(false)
    await new Promise((settle) => server.close(settle))
    expect(await portFree(port)).toBe(true)
  })

  it('shows the end of a log, and says when there is none', () => {
    const file = scratch('worker.log')
    writeFileSync(file, 'one\ntwo\nthree\n')
    expect(tail(file, 2)).toBe('two\nthree')
    expect(tail(scratch('none.log'))).toContain('no log')
  })
})
