import { spawn } from 'node:child_process'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, it } from 'vitest'
import { hostOf, lifetimeOf } from '../../src/client/lifetime.ts'
import type { Host } from '../../src/client/lifetime.ts'

const host = (change: Partial<Host>): Host => ({
  env: {},
  terminal: false,
  errorTerminal: false,
  uptimeS: 2,
  pid: 4711,
  beforeExit: () => {},
  ...change,
})

it.each<[string, Partial<Host>, unknown]>([
  ['CI', { env: { CI: 'true' }, terminal: true }, 'one_shot'],
  ['CI=false at a terminal', { env: { CI: 'false' }, terminal: true }, 'interactive'],
  ['a script without a terminal', {}, 'one_shot'],
  ['a script whose output goes to a file', { errorTerminal: true }, undefined],
  ['a server that has run for a while', { uptimeS: 900 }, undefined],
  ['the main process of a container', { pid: 1 }, undefined],
  ['a function of a cloud', { env: { AWS_LAMBDA_FUNCTION_NAME: 'f' } }, undefined],
  ['a unit of systemd', { env: { INVOCATION_ID: 'x' } }, undefined],
])('%s', (_, change, expected) => {
  expect(lifetimeOf(host(change))).toBe(expected)
})

it('a Worker, a page and a process that may not be read tell nothing', () => {
  const process = { env: {}, uptime: () => 1, once: () => {} }
  expect(lifetimeOf(null)).toBeUndefined()
  expect(hostOf({})).toBeNull()
  expect(hostOf({ process, navigator: { userAgent: 'Cloudflare-Workers' } })).toBeNull()
  expect(hostOf({ process: { env: {} } })).toBeNull()
  expect(hostOf({ process })).toMatchObject({ terminal: false })
  const refusing = {
    get env(): never {
      throw new Error('NotCapable: Requires env access')
    },
    uptime: () => 1,
    once: () => {},
  }
  expect(hostOf({ process: refusing })).toBeNull()
  // Deno would ask the person at the terminal.
  const Deno = { permissions: { querySync: () => ({ state: 'prompt' }) } }
  expect(hostOf({ process: refusing, Deno })).toMatchObject({ env: {} })
})

/** Runs a program that makes one observed request and has nothing else to do. */
async function program(
  answerTo: (path: string) => object | null,
  options = '',
): Promise<{ calls: [string, string][]; code: number | null; ms: number; said: string }> {
  const calls: [string, string][] = []
  const server = createServer((request, response) => {
    let text = ''
    request.on('data', (chunk: Buffer) => (text += chunk.toString()))
    request.on('end', () => {
      calls.push([request.url ?? '', text])
      const answer = answerTo(request.url ?? '')
      if (answer !== null) response.end(JSON.stringify(answer))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const code = `
    import { connect, observe } from './src/client/index.ts'
    const answer = () => Promise.resolve(Response.json({ usage: { input_tokens: 1, cache_read_input_tokens: 9 } }))
    const fetch = observe(connect({ baseUrl: 'http://127.0.0.1:${port}', key: 'k' }), answer, { provider: 'anthropic', ${options} })
    await (await fetch('https://x.test', { method: 'POST', body: '{"messages":[]}' })).json()
  `
  const { CI: _, ...env } = process.env
  const args = ['--no-warnings', '--input-type=module', '-e', code]
  const startedAt = performance.now()
  const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'pipe'] })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (said += chunk.toString()))
  const exit = await new Promise<number | null>((resolve) => child.on('close', resolve))
  const ms = performance.now() - startedAt
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
  return { calls, code: exit, ms, said }
}

const taken = (path: string): object =>
  path === '/observations'
    ? {
        data: [
          { prefix_id: 'pfx_0_a', matched: true },
          { prefix_id: 'pfx_0_b', matched: false },
        ],
      }
    : {}

it('a process that ends reports what waits, and that its sessions are over', async () => {
  const { calls, code, said } = await program(taken)
  expect([code, said]).toEqual([0, ''])
  expect(calls.map(([path]) => path)).toEqual(['/observations', '/prefixes/pfx_0_a/signals'])
  expect(JSON.parse(calls[0]?.[1] ?? '')).toMatchObject([{ lifetime: 'one_shot' }])
  expect(JSON.parse(calls[1]?.[1] ?? '')).toEqual({ kind: 'end' })
})

it('a process whose caller says nothing of its end, or of its sessions, leaves both out', async () => {
  const { calls } = await program(taken, "lifetime: 'unknown', endsWithProcess: false")
  expect(calls.map(([path]) => path)).not.toContain('/prefixes/pfx_0_a/signals')
  for (const [, text] of calls) expect(text).not.toContain('lifetime')
})

it('a deployment that never answers holds an exit for a second at most, and breaks none', async () => {
  const quick = await program(taken)
  const { code, ms, said } = await program(() => null)
  expect([code, said]).toEqual([0, ''])
  expect(ms).toBeLessThan(quick.ms + 6_000)
})
