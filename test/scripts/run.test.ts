import { spawn } from 'node:child_process'
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join, resolve } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'

/**
 * Creates a small project with an npm that installs only a Node, slowly enough that two installations could overlap. It records each
 * call.
 */
function project(): { folder: string; installs: () => number; npm: (script: string) => void } {
  const folder = join(mkdtempSync(join(tmpdir(), 'run-')), 'a folder with spaces')
  made.push(folder)
  mkdirSync(join(folder, 'scripts'), { recursive: true })
  mkdirSync(join(folder, 'bin'))
  copyFileSync(resolve(import.meta.dirname, '../../scripts/run.mjs'), join(folder, 'scripts/run.mjs'))
  writeFileSync(
    join(folder, 'package-lock.json'),
    JSON.stringify({ packages: { '': {}, 'node_modules/node': { version: '24.21.0' } } }),
  )
  writeFileSync(
    join(folder, 'scripts/say.ts'),
    `const said: string = JSON.stringify(process.argv.slice(2))
process.on('SIGTERM', () => process.exit(7))
console.log(said)
if (said.includes('stay')) setInterval(() => {}, 1000)
else process.exitCode = said.includes('fail') ? 3 : 0`,
  )
  const npm = (script: string): void => {
    writeFileSync(join(folder, 'bin/npm'), `#!/bin/sh\necho "$@" >> npm-calls\n${script}\n`)
    chmodSync(join(folder, 'bin/npm'), 0o755)
  }
  npm(`rm -rf node_modules; sleep 0.5; mkdir -p node_modules/.bin; ln -s "${process.execPath}" node_modules/.bin/node
echo '{"packages":{"node_modules/node":{"version":"24.21.0"}}}' > node_modules/.package-lock.json`)
  const calls = join(folder, 'npm-calls')
  const installs = (): number => (existsSync(calls) ? readFileSync(calls, 'utf8').trim().split('\n').length : 0)
  return { folder, installs, npm }
}

const made: string[] = []
afterEach(() => {
  for (const folder of made.splice(0)) rmSync(folder, { recursive: true, force: true })
})

interface Ended {
  code: number | null
  out: string
  err: string
}

function start(
  folder: string,
  ...args: string[]
): { ended: Promise<Ended>; said: Promise<void>; kill: (signal: NodeJS.Signals) => void } {
  const PATH = [join(folder, 'bin'), process.env['PATH']].join(delimiter)
  const child = spawn(process.execPath, ['scripts/run.mjs', 'scripts/say.ts', ...args], {
    cwd: folder,
    env: { ...process.env, PATH },
  })
  const result: Ended = { code: null, out: '', err: '' }
  const said = new Promise<void>((settle) => {
    child.stdout.on('data', (chunk: Buffer) => {
      result.out += chunk.toString()
      settle()
    })
  })
  child.stderr.on('data', (chunk: Buffer) => (result.err += chunk.toString()))
  const ended = new Promise<Ended>((settle) => {
    child.on('close', (code) => settle({ ...result, code }))
  })
  return { ended, said, kill: (signal) => child.kill(signal) }
}

describe('one command on a fresh clone', () => {
  it('installs first, then runs the script with its arguments, in a folder with spaces', async () => {
    const { folder, installs } = project()
    const { code, out, err } = await start(folder, '--speed', '1', 'two words').ended
    expect({ code, out: out.trim() }).toEqual({ code: 0, out: '["--speed","1","two words"]' })
    expect(err).toContain('First run: installing with npm ci')
    expect(installs()).toBe(1)
  })

  it('installs once, and again when the lockfile changed', async () => {
    const { folder, installs } = project()
    await start(folder).ended
    expect((await start(folder).ended).err).toBe('')
    expect(installs()).toBe(1)
    writeFileSync(
      join(folder, 'package-lock.json'),
      JSON.stringify({ packages: { '': {}, 'node_modules/node': { version: '25.0.0' } } }),
    )
    expect((await start(folder).ended).err).toContain('not what package-lock.json names')
    expect(installs()).toBe(2)
  })

  it('accepts an installation made by hand', async () => {
    const { folder, installs } = project()
    await start(folder).ended
    rmSync(join(folder, 'node_modules/.pilotlight-lock'))
    expect((await start(folder).ended).code).toBe(0)
    expect(installs()).toBe(1)
  })

  it('installs again over an installation that was interrupted', async () => {
    const { folder, installs } = project()
    await start(folder).ended
    rmSync(join(folder, 'node_modules/.pilotlight-lock'))
    rmSync(join(folder, 'node_modules/.package-lock.json'))
    await start(folder).ended
    expect(installs()).toBe(2)
  })

  it('lets one of two concurrent starts install, and both run', async () => {
    const { folder, installs } = project()
    const both = await Promise.all([start(folder, 'a').ended, start(folder, 'b').ended])
    expect(both.map(({ code, out }) => [code, out.trim()])).toEqual([
      [0, '["a"]'],
      [0, '["b"]'],
    ])
    expect(installs()).toBe(1)
  })

  it('ignores the lock of a start that was killed', async () => {
    const { folder, installs } = project()
    mkdirSync(join(folder, '.state/install.lock'), { recursive: true })
    const gone = start(folder, '--help') // any process whose number is unused after its end
    await gone.ended
    rmSync(join(folder, 'node_modules'), { recursive: true })
    mkdirSync(join(folder, '.state/install.lock'))
    writeFileSync(join(folder, '.state/install.lock/pid'), '4194305') // above the highest process number of Linux
    expect((await start(folder).ended).code).toBe(0)
    expect(installs()).toBe(2)
  })

  it('names what is missing when the registry is unreachable, and installs at the next start', async () => {
    const { folder, installs, npm } = project()
    npm('echo "npm error network" >&2; exit 1')
    const { code, err } = await start(folder).ended
    expect(code).toBe(1)
    expect(err).toContain('needs the npm registry')
    expect(existsSync(join(folder, '.state/install.lock'))).toBe(false)
    await start(folder).ended
    expect(installs()).toBe(2)
  })
})

describe('standing in for the script', () => {
  it('passes its exit code on', async () => {
    const { folder } = project()
    expect((await start(folder, 'fail').ended).code).toBe(3)
  })

  it('passes signals on', async () => {
    const { folder } = project()
    const running = start(folder, 'stay')
    await running.said
    running.kill('SIGTERM')
    expect((await running.ended).code).toBe(7)
  })
})
