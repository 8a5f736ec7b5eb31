import { spawn, spawnSync } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { freePort } from './running.ts'

const root = join(import.meta.dirname, '../..')

let folder: string
let started: ChildProcess
let env: NodeJS.ProcessEnv

/** Runs a command to its end. Returns its output and exit code. */
async function run(command: string, ...args: string[]): Promise<{ code: number | null; said: string }> {
  const child = spawn(command, args, { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe'] })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (said += chunk.toString()))
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve))
  return { code, said: said.slice(-3_000) }
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pilotlight-examples-'))
  const [port, lab] = [await freePort(), await freePort()]
  const base = `http://127.0.0.1:${port}`
  await writeFile(join(folder, 'keys'), '')
  const options = [
    '--no-samples',
    '--port',
    `${port}`,
    '--lab-port',
    `${lab}`,
    '--state',
    folder,
    '--dev-vars',
    join(folder, 'keys'),
  ]
  started = spawn('npm', ['start', '--silent', '--', ...options], { cwd: root, detached: true, stdio: 'ignore' })
  env = { ...process.env, PILOTLIGHT_URL: base, LAB_URL: `http://127.0.0.1:${lab}`, NO_COLOR: '1' }
  for (let tries = 0; ; tries++) {
    if (started.exitCode !== null || tries > 600) throw new Error('npm start did not become ready')
    try {
      if ((await fetch(`${base}/health`)).ok) break
    } catch {
      // not listening yet
    }
    await pause(100)
  }
})

afterAll(async () => {
  const gone = new Promise((resolve) => started.once('exit', resolve))
  if (started.exitCode === null && started.pid !== undefined) {
    process.kill(-started.pid, 'SIGINT')
    await gone
  }
  await rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 500 })
})

it.each([
  'warm.mjs',
  'observe-anthropic.mjs',
  'observe-openai.mjs',
  'agent-anthropic.mjs',
  'agent-openai.mjs',
  'agent-gemini.mjs',
  'crew.mjs',
  'break-even.mjs',
])('%s does what it shows', async (file) => {
  expect(await run('node', `examples/${file}`)).toMatchObject({ code: 0 })
})

/** Reason why an example is not run here; null if it is. */
const withoutPython =
  spawnSync('python3', ['-c', 'import sys; sys.exit(sys.version_info < (3, 9))'], { stdio: 'ignore' }).status === 0
    ? null
    : 'there is no Python 3.9 or newer here'

it('agent.py does what it shows', async (test) => {
  if (withoutPython !== null) test.skip(withoutPython)
  expect(await run('python3', 'examples/agent.py')).toMatchObject({ code: 0 })
})

it('the Python client calls the product, and reports from LiteLLM and LangChain', async (test) => {
  if (withoutPython !== null) test.skip(withoutPython)
  expect(await run('python3', '-B', 'clients/python/try_pilotlight.py')).toMatchObject({ code: 0 })
})

/** True if the machine has curl and bash. */
const shells = ['curl', 'bash'].every((tool) => spawnSync(tool, ['--version'], { stdio: 'ignore' }).status === 0)

it.skipIf(!shells).each(['warm.sh'])('%s does what it shows', async (file) => {
  expect(await run('bash', `examples/${file}`)).toMatchObject({ code: 0 })
})

it.skipIf(!shells)('the deploy hook does what it shows, by the command of its workflow', async () => {
  expect(await run('bash', 'examples/deploy-hook/try.sh')).toMatchObject({ code: 0 })
})

it.skipIf(!shells)('the check of a prompt tells accidents from changes that are meant, by its workflow', async () => {
  expect(await run('bash', 'examples/prompt-check/try.sh')).toMatchObject({ code: 0 })
})

it.skipIf(!shells)('the hook at the end of a session does what it shows, by the command of its setting', async () => {
  expect(await run('bash', 'examples/session-end-hook/try.sh')).toMatchObject({ code: 0 })
})

it.skipIf(!shells)('the commands in README.md and docs/api.md do what they show', async () => {
  expect(await run('node', 'examples/run-documents.mjs')).toMatchObject({ code: 0 })
})
