/**
 * node scripts/try-agents.ts [NAME…]: runs the agents pi, opencode and gemini-cli, unmodified, through the gateway against the lab, and prints what
 * was seen. Installs them below `.state/agents` (about 600 MB, once). Each has a home of its own, a made-up key and no network but the loopback
 * address as far as it honours that.
 */
import { execFile } from 'node:child_process'
import { existsSync, globSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { developmentKeys } from './start/keys.ts'
import { launchAll, stopGroups, tail, untilReady, type Launch } from './start/processes.ts'
import { root, run } from './step.ts'

const VERSIONS = {
  '@earendil-works/pi-coding-agent': '1.6.0',
  'opencode-ai': '1.18.33',
  '@google/gemini-cli': '0.61.0',
}
const modules = join(root, '.state/agents/node_modules')

interface Agent {
  provider: string
  model: string
  /** Files of its home, by path. */
  files: (via: string) => Record<string, unknown>
  env: (via: string) => Record<string, string>
  command: () => [program: string, ...args: string[]]
}

const QUESTION = 'Answer with one word.'

const AGENTS: Record<string, Agent> = {
  pi: {
    provider: 'anthropic',
    model: 'claude-sonnet-4-5',
    files: (via) => ({ '.pi/agent/models.json': { providers: { anthropic: { baseUrl: `${via}/anthropic` } } } }),
    env: () => ({ ANTHROPIC_API_KEY: 'lab', PI_OFFLINE: '1' }),
    command: () => [
      join(modules, '.bin/pi'),
      '--provider',
      'anthropic',
      '--model',
      'claude-sonnet-4-5',
      '--no-session',
      '-p',
      QUESTION,
    ],
  },
  opencode: {
    provider: 'anthropic',
    model: 'claude-sonnet-4-5',
    files: (via) => ({
      'opencode.json': {
        autoupdate: false,
        share: 'disabled',
        provider: { anthropic: { options: { baseURL: `${via}/anthropic/v1` } } },
      },
    }),
    env: () => ({ ANTHROPIC_API_KEY: 'lab', OPENCODE_DISABLE_AUTOUPDATE: '1', OPENCODE_DISABLE_MODELS_FETCH: '1' }),
    // Its own launcher is put in place by a script of its package, which is not run here.
    command: () => [
      globSync('opencode-*/bin/opencode*', { cwd: modules }).map((path) => join(modules, path))[0] ?? 'opencode',
      'run',
      '-m',
      'anthropic/claude-sonnet-4-5',
      QUESTION,
    ],
  },
  gemini: {
    provider: 'gemini',
    model: 'gemini-2.5-flash',
    files: () => ({
      '.gemini/settings.json': {
        security: { auth: { selectedType: 'gemini-api-key' } },
        privacy: { usageStatisticsEnabled: false },
        general: { disableAutoUpdate: true },
      },
    }),
    env: (via) => ({
      GEMINI_API_KEY: 'lab',
      GOOGLE_GEMINI_BASE_URL: `${via}/gemini`,
      GEMINI_CLI_TRUST_WORKSPACE: 'true',
    }),
    command: () => [join(modules, '.bin/gemini'), '-m', 'gemini-2.5-flash', '-p', QUESTION],
  },
}

interface Row {
  seq: number
  path: string
  status: number | null
  model: string | null
  body: string
  usage: unknown
}

const names = process.argv.slice(2)
const unknown = names.filter((name) => !(name in AGENTS))
if (unknown.length > 0) {
  console.error(`${unknown.join(', ')}: the agents are ${Object.keys(AGENTS).join(', ')}`)
  process.exitCode = 2
} else {
  await installed()
  process.exitCode = (await tried(names.length === 0 ? Object.keys(AGENTS) : names)) ? 0 : 1
}

async function installed(): Promise<void> {
  const folder = dirname(modules)
  mkdirSync(folder, { recursive: true })
  const wanted = JSON.stringify({ private: true, dependencies: VERSIONS })
  const stamp = join(modules, `.${Object.values(VERSIONS).join('-')}`)
  if (existsSync(stamp)) return
  console.log('Installing the agents …')
  writeFileSync(join(folder, 'package.json'), wanted)
  const args = ['install', '--prefix', folder, '--ignore-scripts', '--no-audit', '--no-fund']
  const { code, output } = await run('npm', args)
  if (code !== 0) throw new Error(`npm install ended with ${code}\n${output}`)
  writeFileSync(stamp, '')
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  return typeof address === 'object' && address !== null ? address.port : 0
}

/** Runs agents one by one. True if each read its prefix from the cache in its second session, and that counted as a hit. */
async function tried(chosen: string[]): Promise<boolean> {
  const state = mkdtempSync(join(tmpdir(), 'pilotlight-agents-'))
  const [port, labPort] = [await freePort(), await freePort()]
  const [base, lab] = [`http://127.0.0.1:${port}`, `http://127.0.0.1:${labPort}`]
  const launch = (name: string, config: string, at: number, health: string, vars: Launch['vars']): Launch => ({
    name,
    config,
    port: at,
    health,
    persistTo: join(state, name),
    log: join(state, `${name}.log`),
    vars,
    envFile: null,
  })
  const runtimes = launchAll([
    launch('lab', 'test/lab/wrangler.toml', labPort, `${lab}/_lab/health`, { LAB_LATENCY: 'off' }),
    launch('pilotlight', 'wrangler.toml', port, `${base}/health`, {
      ENVIRONMENT: 'development',
      ADMIN_KEY: developmentKeys.admin,
      DEV_ACCOUNT_KEY: developmentKeys.account,
      KEY_ENCRYPTION_SECRET: developmentKeys.seal,
      LAB_URL: lab,
      LAB_PROVIDERS: 'anthropic,gemini',
    }),
  ])
  const stop = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort())
  try {
    const ended = runtimes.map(async (runtime) =>
      Promise.reject(new Error(`${runtime.name} ${await runtime.ended}\n${tail(runtime.log)}`)),
    )
    const work = (async () => {
      for (const runtime of runtimes) await untilReady(runtime, stop.signal)
      await call(base, 'GET', '/prefixes')
      const { key } = await call<{ key: string }>(
        base,
        'POST',
        '/accounts/dev/keys',
        { access: 'via' },
        developmentKeys.admin,
      )
      const results = []
      for (const name of chosen) results.push(await one(name, state, base, lab, `${base}/via/~${key}`, stop.signal))
      return results.every(Boolean)
    })()
    return await Promise.race([work, ...ended])
  } finally {
    await stopGroups(runtimes, 8_000)
    rmSync(state, { recursive: true, force: true })
  }
}

async function one(
  name: string,
  state: string,
  base: string,
  lab: string,
  via: string,
  signal: AbortSignal,
): Promise<boolean> {
  const agent = AGENTS[name]
  if (agent === undefined) return false
  const { provider, model } = agent
  const home = join(state, `home-${name}`)
  for (const [path, content] of Object.entries(agent.files(via))) {
    mkdirSync(dirname(join(home, path)), { recursive: true })
    writeFileSync(join(home, path), JSON.stringify(content))
  }
  const [program, ...args] = agent.command()
  const env = {
    PATH: process.env['PATH'] ?? '',
    HOME: home,
    XDG_CONFIG_HOME: join(home, '.config'),
    XDG_DATA_HOME: join(home, '.local/share'),
    // What honours a proxy finds none.
    HTTPS_PROXY: 'http://127.0.0.1:9',
    HTTP_PROXY: 'http://127.0.0.1:9',
    NO_PROXY: '127.0.0.1,localhost',
    ...agent.env(via),
  }
  const session = async (): Promise<Row[]> => {
    const before = (await rows(lab)).at(-1)?.seq ?? 0
    const said = await new Promise<string>((resolve) => {
      const child = execFile(program, args, { cwd: home, env, timeout: 120_000, signal }, (error, out, err) =>
        resolve(error === null ? out : `${out}\n${err}\n${error.message}`),
      )
      child.stdin?.end()
    })
    const got = (await rows(lab)).filter(({ seq }) => seq > before)
    if (got.length === 0) console.log(`${name}: no request arrived.\n${said.slice(-2_000)}`)
    return got
  }
  const main = (got: Row[]): Row | undefined =>
    got
      .filter(({ status }) => status === 200)
      .toSorted((a, b) => a.body.length - b.body.length)
      .at(-1)
  const first = main(await session())
  if (first === undefined) return false
  const named = provider === 'gemini' ? `"model":"${model}",` : ''
  const { id } = await call<{ id: string }>(
    base,
    'POST',
    '/warm',
    `{"name":"${name}","provider":"${provider}",${named}"request":${first.body}}`,
  )
  const second = await session()
  const again = main(second)
  const { cached, input } = again === undefined ? { cached: 0, input: 0 } : readOf(again.usage)
  let hits = 0
  for (let tries = 0; tries < 60 && hits === 0; tries++) {
    await pause(500)
    hits = (await call<{ hits: number }>(base, 'GET', `/prefixes/${id}`)).hits
  }
  console.log(
    `${name}: ${second.length} requests a session (${second.map(({ path, status }) => `${path} ${status}`).join(', ')}); ` +
      `the second session read ${cached} of ${input} tokens from the cache; ${hits} hits counted`,
  )
  return cached > 1_000 && hits > 0
}

/** Cached tokens and all of the input, as Anthropic or Gemini say them. */
function readOf(usage: unknown): { cached: number; input: number } {
  const flat = JSON.stringify(usage ?? {})
  const count = (member: string): number => Number(new RegExp(`"${member}":(\\d+)`).exec(flat)?.[1] ?? 0)
  const read = count('cache_read_input_tokens')
  const cached = read + count('cachedContentTokenCount')
  const input = count('input_tokens') + read + count('cache_creation_input_tokens') + count('promptTokenCount')
  return { cached, input }
}

async function rows(lab: string): Promise<Row[]> {
  const answer = await fetch(`${lab}/_lab/transcript`)
  return ((await answer.json()) as { data: Row[] }).data
}

async function call<Answer>(
  base: string,
  method: string,
  path: string,
  body?: unknown,
  key = developmentKeys.account,
): Promise<Answer> {
  const answer = await fetch(base + path, {
    method,
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  })
  const json = (await answer.json()) as Answer & { error?: { message?: string } }
  if (!answer.ok) throw new Error(`${method} ${path} was answered ${answer.status}: ${json.error?.message ?? ''}`)
  return json
}
