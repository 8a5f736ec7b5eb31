import { execFile, spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, describe, expect, it, vi } from 'vitest'
import { Api } from '../../scripts/start/api.ts'
import { loadSamples, quote } from '../../scripts/start/samples.ts'
import { processes } from '../../scripts/start/process-list.ts'
import { MINUTE_MS } from '../../src/core/time/time.ts'

const root = resolve(import.meta.dirname, '../..')
const folder = mkdtempSync(join(tmpdir(), 'start '))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

interface Ended {
  code: number | null
  out: string
  err: string
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((settle) => server.listen(0, '127.0.0.1', settle))
  const address = server.address()
  await new Promise((settle) => server.close(settle))
  return typeof address === 'object' && address !== null ? address.port : 0
}

const ports = { port: await freePort(), lab: await freePort() }

/** Runs `npm start -- …` with its own ports and state, and without the developer's keys. */
function start(
  keys: string,
  ...args: string[]
): { ended: Promise<Ended>; said: () => string; says: (text: string) => Promise<boolean>; interrupt: () => void } {
  const devVars = join(folder, 'keys')
  writeFileSync(devVars, keys)
  const all = [
    'start',
    '--silent',
    '--',
    '--state',
    folder,
    '--dev-vars',
    devVars,
    '--port',
    `${ports.port}`,
    '--lab-port',
    `${ports.lab}`,
    ...args,
  ]
  const child = spawn('npm', all, { cwd: root, detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
  const result: Ended = { code: null, out: '', err: '' }
  child.stdout.on('data', (chunk: Buffer) => (result.out += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (result.err += chunk.toString()))
  const ended = new Promise<Ended>((settle) => {
    child.on('close', (code) => settle({ ...result, code }))
  })
  return {
    ended,
    said: () => result.out + result.err,
    says: (text) => vi.waitUntil(() => (result.out + result.err).includes(text), { timeout: 60_000, interval: 100 }),
    interrupt: () => void process.kill(-(child.pid ?? 0), 'SIGINT'), // Ctrl-C reaches every process of the terminal's group
  }
}

/** Returns the processes of a run, of any parent: all have the state folder in their command line. */
const left = (): string[] =>
  processes()
    .filter(({ command }) => command.includes(folder))
    .map(({ command }) => command.slice(0, 80))

interface Summary {
  virtual_minutes: number
  cron_ticks: number
  problems: string[]
  prefixes: {
    id: string
    name: string
    hits: number
    probes: number
    warmth: { state: string }
    last_receipt: { at: string }
  }[]
  real_requests: { name: string; cached_input_tokens: number; input_tokens: number }[]
}

const clock = (): number =>
  (JSON.parse(readFileSync(join(folder, 'lab/clock.json'), 'utf8')) as { virtualAt: number }).virtualAt

describe('npm start', () => {
  let first: Summary

  it('keeps three samples warm through several TTLs, and real requests find their tokens cached', async () => {
    const { code, out, err } = await start('', '--speed', '60', '--for', '35m', '--json').ended
    expect(err).toContain(`http://localhost:${ports.port}/#key=pilotlight-dev`)
    first = JSON.parse(out) as Summary
    expect(first.problems).toEqual([])
    expect(code).toBe(0)
    expect(first.cron_ticks).toBeGreaterThan(25)
    expect(first.prefixes.map(({ name }) => name)).toEqual(['sample-anthropic', 'sample-gemini', 'sample-openai'])
    for (const { name, warmth, probes, hits } of first.prefixes) {
      expect({ name, state: warmth.state }).toMatchObject({
        state: expect.stringMatching(/^(warm|expiring)$/) as string,
      })
      expect(probes).toBeGreaterThan(0)
      expect(hits).toBeGreaterThan(0)
    }
    expect(first.prefixes.find(({ name }) => name === 'sample-anthropic')?.probes).toBeGreaterThan(5)
    for (const { cached_input_tokens: cached, input_tokens: total } of first.real_requests) {
      expect(cached / total).toBeGreaterThan(0.9)
    }
    expect(left()).toEqual([])
  })

  it('goes on where it ended: the same prefixes, and a clock that stood still', async () => {
    const stoppedAt = clock()
    const { code, out, err } = await start('', '--speed', '30', '--for', '2m', '--json').ended
    const second = JSON.parse(out) as Summary
    expect({ code, problems: second.problems }).toEqual({ code: 0, problems: [] })
    expect(err).toContain('Continuing with 3 prefixes from before')
    expect(err).not.toContain('registered,')
    expect(second.prefixes.map(({ id }) => id)).toEqual(first.prefixes.map(({ id }) => id))
    expect(clock()).toBeGreaterThan(stoppedAt)
    expect(clock() - stoppedAt).toBeLessThan(30 * MINUTE_MS)
  })

  it('keeps the provider’s and the product’s state alone, and no trace of requests', () => {
    const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    expect(files.filter((path) => path.endsWith('.sqlite')).length).toBeGreaterThan(3)
    expect(files.filter((path) => /observability|trace/i.test(path))).toEqual([])
  })

  it('serves each provider of the lab, stops everything on Ctrl-C and leaves no process', async () => {
    const running = start('')
    await running.says('cron tick')
    const answer = await fetch(`http://127.0.0.1:${ports.port}/warm`, {
      method: 'POST',
      headers: { authorization: 'Bearer pilotlight-dev', 'content-type': 'application/json' },
      body: JSON.stringify({
        provider: 'bedrock',
        model: 'us.anthropic.claude-sonnet-4-5-20250929-v1:0',
        keep_warm: { plan: 'off' },
        request: {
          system: [{ text: 'You answer questions about the mill. '.repeat(400) }, { cachePoint: { type: 'default' } }],
          messages: [{ role: 'user', content: [{ text: 'Who built it?' }] }],
        },
      }),
    })
    expect(await answer.json()).toMatchObject({ receipt: { kind: 'written' } })

    // The line that it prints, as a person would paste it.
    const line = /^ {2}(curl .+)$/m.exec(running.said())?.[1] ?? ''
    const pasted = await promisify(execFile)('sh', ['-c', line], { cwd: root })
    expect(pasted.stdout).toMatch(/^HTTP\/1\.1 200 /)
    expect(pasted.stdout).toMatch(/^x-pilotlight: /im)
    expect(Number(/"cache_read_input_tokens":(\d+)/.exec(pasted.stdout)?.[1])).toBeGreaterThan(5_000)

    running.interrupt()
    const { out } = await running.ended
    expect(out).toContain('Stopping')
    expect(await vi.waitUntil(() => left().length === 0, { timeout: 15_000, interval: 100 })).toBe(true)
  })

  it('refuses a second run on the same state, and a port in use, saying what to do', async () => {
    const running = start('')
    await running.says('Ctrl-C stops everything')
    const again = await start('').ended
    expect(again).toMatchObject({ code: 1, err: expect.stringContaining('Already running') as string })
    const elsewhere = await start('', '--state', join(folder, 'other')).ended
    expect(elsewhere).toMatchObject({
      code: 1,
      err: expect.stringContaining(`Port ${ports.port}, meant for Pilotlight, is in use`) as string,
    })
    running.interrupt()
    await running.ended
    expect(await vi.waitUntil(() => left().length === 0, { timeout: 15_000, interval: 100 })).toBe(true)
  })

  it('with a real provider sends nothing by itself, keeps real time and shows the price first', async () => {
    const running = start('ANTHROPIC_API_KEY=not-a-key', '--speed', '60', '--json')
    await running.says('Ctrl-C stops everything')
    const api = new Api(`http://127.0.0.1:${ports.port}`, 'pilotlight-dev')
    for (const sample of loadSamples()) {
      expect(await quote(api, sample)).toMatch(/^sample-\w+: \$0\.0\d+ for the first write, then \$\d\.\d+ a day/)
    }
    expect(await api.prefixes()).toEqual([])
    running.interrupt()
    const { out, err } = await running.ended
    expect(JSON.parse(out)).toMatchObject({
      speed: 1,
      real_providers: ['anthropic'],
      prefixes: [],
      real_requests: [],
      problems: [],
    })
    expect(err).toContain('nothing is sent there unless you ask for it')
  })
})
