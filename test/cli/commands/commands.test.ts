import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { remoteCommands, nameOfSpec } from '../../../src/cli/program.ts'
import { run } from '../support.ts'

/** Answers of a deployment by method and path, and what was asked of it. */
function deployment(answers: Record<string, unknown>) {
  const asked: { route: string; body: string | null; headers: Headers }[] = []
  const fetch = (input: string, init: RequestInit = {}): Promise<Response> => {
    const { pathname, search } = new URL(input)
    const route = `${init.method ?? 'GET'} ${pathname}${search}`
    asked.push({ route, body: typeof init.body === 'string' ? init.body : null, headers: new Headers(init.headers) })
    const found = answers[route] ?? answers[`${init.method ?? 'GET'} ${pathname}`]
    if (found === undefined)
      return Promise.resolve(
        Response.json({ error: { kind: 'not_found', message: 'There is none.', retryable: false } }, { status: 404 }),
      )
    return Promise.resolve(found instanceof Response ? found.clone() : Response.json(found))
  }
  return { asked, fetch }
}

const ENV = { PILOTLIGHT_URL: 'http://pilot.test/', PILOTLIGHT_KEY: 'plk_own', PILOTLIGHT_ADMIN_KEY: 'of-the-admin' }
const HEALTH = { now: '2026-11-21T15:00:00.000Z', clock_rate: 1, last_sweep_at: '2026-11-21T14:59:30.000Z' }
const PREFIX = {
  id: 'pfx_0_0123456789abcdef01234567',
  name: 'support',
  model: 'claude-opus-4-8',
  provider: 'anthropic',
  version: 2,
  warmth: { state: 'warm', p_warm: 0.99, warm_until: '2026-11-21T15:04:00.000Z', why: 'read a minute ago' },
  plan: { plan: 'auto', next_probe_at: '2026-11-21T15:03:30.000Z', stopped: null, why: 'it pays' },
  keep_warm: { plan: 'auto' },
  hits: 12,
  misses: 1,
  probes: 4,
  cost_usd: 0.0123,
  cost_today_usd: 0.0123,
  saved_usd: 1.5,
  net_usd: 1.4877,
  measured_tokens: 4_700,
  last_receipt: null,
  last_hit: null,
  last_failure: null,
  drift: null,
}
const page = (...data: unknown[]) => ({ data, next_cursor: null })

async function ran(args: string[], answers: Record<string, unknown> = {}, more: object = {}) {
  const { asked, fetch } = deployment({ 'GET /health': HEALTH, ...answers })
  return { ...(await run(args, { env: ENV, fetch, ...more })), asked }
}

describe('every command', () => {
  it.each(remoteCommands.map((spec) => [nameOfSpec(spec), spec] as const))(
    '%s has help with an example',
    async (name, spec) => {
      const { code, out, asked } = await ran([name, '--help'])
      expect([code, asked]).toEqual([0, []])
      expect(out).toContain(spec.example)
      expect(spec.example).toMatch(new RegExp(`^pilotlight ${name}\\b`))
      expect(out).toContain('--json')
    },
  )

  it('has a name of its own', () => {
    const names = remoteCommands.map(nameOfSpec)
    expect(new Set(names).size).toBe(names.length)
  })

  it('that does not exist is told with the nearest one', async () => {
    const { code, said } = await ran(['wram'])
    expect([code, said]).toEqual([2, 'There is no command "wram". Did you mean "warm"? pilotlight --help lists all.\n'])
  })

  it.each([
    [['show'], 64, "missing required argument 'name'"],
    [['ls', '--stat', 'cold'], 64, "unknown option '--stat'"],
    [['set', 'support', '--budget', 'five'], 64, '--budget must be a number'],
    [['kill', 'maybe'], 64, 'pilotlight kill on, or pilotlight kill off'],
    [['warm', '/nowhere/body.json'], 64, '/nowhere/body.json cannot be read'],
    [['announce', 'support'], 64, 'Say when'],
  ])('%j is wrong usage: %i', async (args, code, words) => {
    const told = await ran(args)
    expect([told.code, told.asked]).toEqual([code, []])
    expect(told.said).toContain(words)
  })
})

describe('where the deployment is', () => {
  it('has to be said, with how', async () => {
    const { code, said } = await run(['ls'])
    expect([code, said]).toEqual([
      78,
      'pilotlight ls: No deployment is named. Run pilotlight init, set PILOTLIGHT_URL, or give --url.\n',
    ])
  })

  it('is taken of flags, of the environment, and of the file of the project or the user', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'pilotlight-cli-'))
    writeFileSync(join(folder, '.pilotlight.json'), '{"url":"http://file.test","key":"plk_file"}')
    const { asked, fetch } = deployment({ 'GET /prefixes': page() })
    const at = async (env: object, flags: string[] = []) => {
      asked.length = 0
      expect((await run(['ls', '--json', ...flags], { env: { ...env }, fetch, cwd: join(folder, 'below') })).code).toBe(
        0,
      )
      return asked[0]?.headers.get('authorization')
    }
    expect(await at({})).toBe('Bearer plk_file')
    expect(await at({ PILOTLIGHT_KEY: 'plk_env' })).toBe('Bearer plk_env')
    writeFileSync(join(folder, 'key.txt'), 'plk_flag\n')
    expect(await at({ PILOTLIGHT_KEY: 'plk_env' }, ['--key-file', join(folder, 'key.txt')])).toBe('Bearer plk_flag')
  })

  it('and a file that is no such file is named, and not its content', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'pilotlight-cli-'))
    writeFileSync(join(folder, '.pilotlight.json'), '{"url": plk_secret')
    const { code, said } = await run(['ls'], { cwd: folder })
    expect(code).toBe(78)
    expect(said).toContain('.pilotlight.json is not what is expected')
    expect(said).not.toContain('plk_secret')
  })
})

describe('what goes wrong', () => {
  const refusal = (status: number, kind: string, message: string) =>
    Response.json({ error: { kind, message, retryable: false } }, { status })

  it.each([
    [401, 'unauthenticated', 77],
    [403, 'forbidden', 77],
    [404, 'not_found', 65],
    [400, 'invalid_request', 65],
  ])('a refusal of %i %s ends with %i', async (status, kind, code) => {
    const told = await ran(['show', 'support'], { 'GET /prefixes/support': refusal(status, kind, 'These words.') })
    expect([told.code, told.out]).toEqual([code, ''])
    expect(told.said).toContain('These words.')
  })

  it('an unreachable deployment ends with 69, and says what to do', async () => {
    const { code, said } = await run(['ls'], { env: ENV, fetch: () => Promise.reject(new Error('refused')) })
    expect(code).toBe(69)
    expect(said).toContain('http://pilot.test did not answer')
    expect(said).toContain('pilotlight doctor')
  })

  it('a missing key ends with 78', async () => {
    const { code, said } = await run(['kill'], { env: { PILOTLIGHT_URL: 'http://pilot.test' } })
    expect([code, said.includes('PILOTLIGHT_ADMIN_KEY')]).toEqual([78, true])
  })
})

describe('prefixes', () => {
  it('are a table that fits the terminal, and JSON with --json', async () => {
    const answers = { 'GET /prefixes?limit=200': page({ ...PREFIX, name: 'a very long name of a prefix '.repeat(5) }) }
    const { out } = await ran(['ls'], answers, { stdout: { columns: 80 } })
    const lines = out.replaceAll(new RegExp(`${String.fromCodePoint(27)}\\[\\d+m`, 'g'), '').split('\n')
    expect(lines[0]).toMatch(/^NAME +STATE +WARM UNTIL +PLAN +HITS +MISSES +COST +SAVED$/)
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80)
    expect(lines[1]).toMatch(/…  warm   in 4 min    auto  +12 +1 +\$0\.0123 +\$1\.50$/)
    const { out: json } = await ran(['ls', '--json'], answers)
    expect(JSON.parse(json)).toMatchObject({ data: [{ id: PREFIX.id }], next_cursor: null })
  })

  it('of several pages are one list', async () => {
    const { out, asked } = await ran(['ls', '--json'], {
      'GET /prefixes?limit=200': { data: [PREFIX], next_cursor: 'abc' },
      'GET /prefixes?limit=200&cursor=abc': page(PREFIX),
    })
    expect((JSON.parse(out) as { data: unknown[] }).data).toHaveLength(2)
    expect(asked).toHaveLength(2)
  })

  it('are shown in words, by name', async () => {
    const { code, out, asked } = await ran(['show', 'support agent'], { 'GET /prefixes/support%20agent': PREFIX })
    expect(code).toBe(0)
    expect(asked[0]?.route).toBe('GET /prefixes/support%20agent')
    expect(out).toContain('requests    12 hits, 1 misses')
    expect(out).toContain('saved       $1.50, net $1.49')
    expect(out).not.toContain('failure')
  })

  it('names from the deployment give the terminal no commands', async () => {
    const { out } = await ran(['show', 'x'], { 'GET /prefixes/x': { ...PREFIX, name: 'a\u001b[31mb' } })
    expect(out).not.toContain('\u001b')
  })

  it('are warmed with every byte of a provider’s own body', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'pilotlight-cli-'))
    const body = '{ "model":"m", "n": 1.0, "t":"\\u00e9" }'
    writeFileSync(join(folder, 'body.json'), body)
    const answer = { ...PREFIX, receipt: { kind: 'written', why: '4700 tokens written', cost_usd: 0.02 } }
    const { code, out, asked } = await ran(
      ['warm', join(folder, 'body.json'), '--provider', 'anthropic', '--name', 'support', '--plan', '3'],
      { 'POST /warm': answer },
    )
    expect([code, out]).toEqual([0, 'support: warm. written: 4700 tokens written, $0.0200\n'])
    expect(asked[0]?.body).toBe(
      `{"name":"support","keep_warm":{"plan":{"probes":3}},"provider":"anthropic","request":${body}}`,
    )
  })

  it('that did not get warm end with 1', async () => {
    const answer = { ...PREFIX, warmth: { state: 'uncacheable' }, receipt: { kind: 'uncacheable', why: 'too short' } }
    expect((await ran(['warm', '-'], { 'POST /warm': answer }, { text: '{"provider":"x"}' })).code).toBe(1)
  })

  it('are forgotten after a yes alone', async () => {
    const answers = { 'GET /prefixes/support': PREFIX, 'DELETE /prefixes/support': { id: PREFIX.id, deleted: true } }
    const no = await ran(['rm', 'support'], answers, { stdin: { isTerminal: true }, text: 'n\n' })
    expect([no.code, no.asked.some(({ route }) => route.startsWith('DELETE'))]).toEqual([1, false])
    const nobody = await ran(['rm', 'support'], answers)
    expect([nobody.code, nobody.said.includes('--yes')]).toEqual([64, true])
    const yes = await ran(['rm', 'support'], answers, { stdin: { isTerminal: true }, text: 'y\n' })
    expect([yes.code, yes.out]).toEqual([0, 'support is forgotten.\n'])
  })
})

describe('what happens', () => {
  it('is printed as it happens', async () => {
    let round = 0
    const { fetch } = deployment({})
    const { out, code } = await run(['tail', '--rounds', '2'], {
      env: ENV,
      fetch: (input, init) => {
        if (!input.includes('/prefixes')) return fetch(input, init)
        const last = { at: '2026-11-21T14:59:58.000Z', cached_tokens: 4_700 }
        return Promise.resolve(Response.json(page(round++ === 0 ? PREFIX : { ...PREFIX, last_hit: last, hits: 13 })))
      },
    })
    expect([code, out]).toEqual([0, '14:59:58  support  hit: 4,700 tokens read\n'])
  })

  it('is no live table outside of a terminal', async () => {
    const { code, said } = await ran(['watch'])
    expect([code, said.includes('pilotlight tail')]).toEqual([64, true])
    const drawn = await ran(
      ['watch', '--rounds', '1'],
      { 'GET /prefixes?limit=200': page(PREFIX) },
      { stdout: { columns: 100 } },
    )
    expect(drawn.out).toContain('support')
  })
})

describe('a crew', () => {
  it('is warmed with its progress on stderr', async () => {
    const agents = (...states: string[]) => states.map((status, index) => ({ index, status, failure: null }))
    const job = { id: 'job_1', status: 'running', agents: agents('running', 'waiting') }
    const done = {
      ...job,
      status: 'succeeded',
      agents: agents('succeeded', 'succeeded'),
      succeeded: 2,
      failed: 0,
      skipped: 0,
    }
    const { code, out, said, asked } = await ran(
      ['preload', '-', '--strategy', 'parallel'],
      { 'POST /preload': job, 'GET /jobs/job_1': done },
      { text: '{"agents":[]}' },
    )
    expect([code, said]).toEqual([0, '2 of 2 agents done\n'])
    expect(asked[0]?.body).toBe('{"background":true,"strategy":"parallel","agents":[]}')
    expect(out).toContain('2 warm, 0 failed, 0 skipped')
  })
})

describe('secrets', () => {
  it('are read of a file, never of an argument, and the key is in no output', async () => {
    const { code, said } = await ran(['credentials', 'acme', 'team', '--provider', 'x'])
    expect([code, said.includes('--secret-file')]).toEqual([64, true])
    const stored = await ran(
      ['credentials', 'acme', 'team', '--provider', 'x', '--secret-file', '-'],
      { 'PUT /accounts/acme/credentials/team': { name: 'team' } },
      { text: 'sk-secret\n' },
    )
    expect([stored.code, stored.asked[0]?.body]).toEqual([0, '{"provider":"x","secret":"sk-secret"}'])
    expect(stored.out + stored.said).not.toContain('sk-secret')
  })

  it('the administrator’s routes get no idempotency key', async () => {
    const { asked } = await ran(['keys', 'acme', '--add'], { 'POST /accounts/acme/keys': { id: 'k', key: 'plk_new' } })
    expect(asked[0]?.headers.get('idempotency-key')).toBeNull()
    expect(asked[0]?.headers.get('authorization')).toBe('Bearer of-the-admin')
  })
})

describe('init', () => {
  it('prints the line that connects, and keeps the address where that is wished', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'pilotlight-cli-'))
    const { code, out } = await ran(['init', '--stack', 'openai-sdk', '--write'], {}, { cwd: folder })
    expect(code).toBe(0)
    expect(out).toContain('OPENAI_BASE_URL=http://pilot.test/via/openai/v1')
    expect(readFileSync(join(folder, '.pilotlight.json'), 'utf8')).toBe('{\n  "url": "http://pilot.test"\n}\n')
  })

  it('asks where somebody can answer, and says the words where nobody can', async () => {
    const asked = await ran(['init'], {}, { stdin: { isTerminal: true }, text: '1\n' })
    expect([asked.code, asked.out.includes('ANTHROPIC_BASE_URL')]).toEqual([0, true])
    expect((await ran(['init'])).said).toContain('--stack anthropic-sdk|openai-sdk')
  })
})

describe('completions', () => {
  it.each(['bash', 'zsh', 'fish'])('%s has every command', async (shell) => {
    const { code, out } = await ran(['completion', shell])
    expect(code).toBe(0)
    for (const name of ['lint', 'why', ...remoteCommands.map(nameOfSpec)]) expect(out).toContain(name)
  })

  it('another shell is wrong usage', async () => {
    expect((await ran(['completion', 'tcsh'])).code).toBe(64)
  })
})
