/**
 * node scripts/try-engine.ts --url http://127.0.0.1:8080/v1 --key KEY: tries the product on a real llama.cpp server. It starts
 * Pilotlight in the local runtime with an empty state, measures the time to the first token cold and warmed, in turns, and what
 * prefixes that evict one another are called. `--help` lists the options.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { firstModel } from './engine/engine.ts'
import { measure, summary, type Ask } from './engine/measure.ts'
import { developmentKeys } from './start/keys.ts'
import { launchAll, stopGroups, tail, untilReady } from './start/processes.ts'

const help = `node scripts/try-engine.ts --url URL [options]

  --url URL      base URL of the engine's OpenAI format, such as http://127.0.0.1:8080/v1
  --key KEY      its key; any word where it has none
  --model NAME   absent: the first that it lists
  --rounds N     pairs of a cold and a warmed request (5)
  --chars N      characters of a prefix (8000)
  --slots N      prompts that the engine holds at once, as in its own -np (2)
  --json         print the figures as JSON`

const { values } = parseArgs({
  options: {
    url: { type: 'string', default: process.env['LLAMA_CPP_BASE_URL'] ?? '' },
    key: { type: 'string', default: process.env['LLAMA_CPP_API_KEY'] ?? 'none' },
    model: { type: 'string' },
    rounds: { type: 'string', default: '5' },
    chars: { type: 'string', default: '8000' },
    slots: { type: 'string', default: '2' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})

if (values.help || values.url === '') {
  console.log(help)
  process.exitCode = values.help ? 0 : 2
} else {
  try {
    await run()
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error))
    process.exitCode = 1
  }
}

async function run(): Promise<void> {
  const say = (line: string): void => void process.stderr.write(`${line}\n`)
  const access = { url: values.url.replace(/\/+$/, ''), key: values.key }
  const engine = { ...access, model: values.model ?? (await firstModel(access)) }
  const settings = { rounds: whole('rounds'), chars: whole('chars'), slots: whole('slots') }
  const state = mkdtempSync(join(tmpdir(), 'pilotlight-engine-'))
  const port = await freePort()
  const base = `http://127.0.0.1:${port}`
  say('Starting Pilotlight …')
  const runtimes = launchAll([
    {
      name: 'Pilotlight',
      config: 'wrangler.toml',
      port,
      health: `${base}/health`,
      persistTo: join(state, 'worker'),
      log: join(state, 'worker.log'),
      vars: {
        ENVIRONMENT: 'development',
        ADMIN_KEY: developmentKeys.admin,
        DEV_ACCOUNT_KEY: developmentKeys.account,
        KEY_ENCRYPTION_SECRET: developmentKeys.seal,
        LLAMA_CPP_BASE_URL: access.url,
        LLAMA_CPP_API_KEY: access.key,
      },
      envFile: null,
    },
  ])
  const stop = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort())
  const stopped = new Promise<never>((_, reject) =>
    stop.signal.addEventListener('abort', () => reject(new Error('stopped'))),
  )
  const [runtime] = runtimes
  if (runtime === undefined) return
  try {
    const ended = runtime.ended.then((how) => Promise.reject(new Error(`Pilotlight ${how}\n${tail(runtime.log)}`)))
    const figures = (async () => {
      await untilReady(runtime, stop.signal)
      say('Cold and warmed, in turns …')
      return measure(asker(base), engine, settings, say)
    })()
    const measured = summary(await Promise.race([figures, ended, stopped]), settings, engine)
    console.log(values.json ? JSON.stringify(measured) : told(measured))
  } finally {
    await stopGroups(runtimes, 8_000)
    rmSync(state, { recursive: true, force: true })
  }
}

function whole(name: 'rounds' | 'chars' | 'slots'): number {
  const number = Number(values[name])
  if (!Number.isInteger(number) || number < 1) throw new Error(`--${name} must be a whole number of at least 1`)
  return number
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  if (address === null || typeof address === 'string') throw new Error('no port was given')
  return address.port
}

function asker(base: string): Ask {
  return async <Answer>(method: string, path: string, body?: unknown): Promise<Answer> => {
    const answer = await fetch(base + path, {
      method,
      headers: { authorization: `Bearer ${developmentKeys.account}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const json = (await answer.json()) as Answer & { error?: { message?: string } }
    if (!answer.ok) throw new Error(`${method} ${path} was answered ${answer.status}: ${json.error?.message ?? ''}`)
    return json
  }
}

function told({
  ttft_ms: ttft,
  read_share: read,
  plans,
  slot_pressure: slots,
  ...rest
}: ReturnType<typeof summary>): string {
  const times = ({ median, least, most }: typeof ttft.cold): string => `${median} ms (${least} to ${most})`
  const share = (value: number | null): string => (value === null ? 'not said' : `${(100 * value).toFixed(1)} %`)
  return [
    `${rest.model}, ${rest.rounds} rounds, ${rest.input_tokens ?? 'unknown'} input tokens, ${rest.slots} slots`,
    `time to the first token  cold ${times(ttft.cold)}, warmed ${times(ttft.warmed)}`,
    `read of the input        cold ${share(read.cold)}, warmed ${share(read.warmed)}`,
    `observations matched     ${rest.observations_matched} of ${rest.rounds}`,
    ...plans.map(({ plan, runs, why }) => `plan ${JSON.stringify(plan)}: ${runs ? 'runs' : 'STOPPED'}: ${why}`),
    `${slots.prefixes} prefixes on ${rest.slots} slots:`,
    ...slots.warmed_again.map((one) => `  ${one.receipt}, read ${share(one.read_share)}, believed ${one.state}`),
    `called full below half   ${slots.called_full_below_half}`,
  ].join('\n')
}
