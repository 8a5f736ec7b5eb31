/** Clients of others, unmodified, through the gateway: their base URL is the one thing that changes. */
import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { install } from '../../scripts/install.ts'
import { caller, freePort, runWorker } from '../e2e/running.ts'
import type { Running } from '../e2e/running.ts'
import { runLab } from '../lab/running.ts'
import type { RunningLab } from '../lab/running.ts'
import type { TranscriptRow } from '../lab/transcript.ts'

/** Programs of `test/clients/programs`, and what each calls: provider of the gateway, and model where the body has none. */
const PROGRAMS: Record<string, Record<string, { provider: string; model?: string }>> = {
  anthropic: { anthropic: { provider: 'anthropic' } },
  openai: { 'openai-responses': { provider: 'openai' }, 'openai-chat': { provider: 'openai-chat' } },
  gemini: { gemini: { provider: 'gemini', model: 'gemini-2.5-flash' } },
  'ai-sdk': {
    'ai-sdk-anthropic': { provider: 'anthropic' },
    'ai-sdk-openai': { provider: 'openai' },
    'ai-sdk-google': { provider: 'gemini', model: 'gemini-2.5-flash' },
  },
  langchain: {
    'langchain-anthropic': { provider: 'anthropic' },
    'langchain-openai': { provider: 'openai-chat' },
    'langchain-google': { provider: 'gemini', model: 'gemini-2.5-flash' },
  },
  agents: { 'openai-agents': { provider: 'openai' } },
}

interface Told {
  text?: string
  heard?: string
  cached?: number
  called?: string
  name?: string | null
  status?: number | null
  retryAfter?: string | null
  message?: string
  left?: boolean
  failed?: string
}
interface Counted {
  hits: number
  misses: number
  last_hit: { cached_tokens: number } | null
}
type Results = Record<string, Record<string, Told>>

let lab: RunningLab
let worker: Running
let folder: string

/** The same programs, straight to the provider and through the gateway. Each has a key of its own there, so that they share no cache. */
let direct: Record<string, string>
let through: Record<string, string>

const environment = (key: string, anthropic: string, openai: string, gemini: string): Record<string, string> => ({
  ANTHROPIC_BASE_URL: anthropic,
  OPENAI_BASE_URL: openai,
  GOOGLE_GEMINI_BASE_URL: gemini,
  ANTHROPIC_API_KEY: key,
  OPENAI_API_KEY: key,
  GEMINI_API_KEY: key,
})

beforeAll(async () => {
  await install('test/clients')
  folder = await mkdtemp(join(tmpdir(), 'pilotlight-clients-'))
  lab = await runLab({ vars: { LAB_LATENCY: 'off' } })
  const vars = {
    ENVIRONMENT: 'development',
    ADMIN_KEY: 'pilotlight-admin',
    DEV_ACCOUNT_KEY: 'pilotlight-dev',
    KEY_ENCRYPTION_SECRET: 'pilotlight-seal-of-tests',
    LAB_URL: lab.url,
    LAB_PROVIDERS: 'anthropic,openai,openai-chat,gemini',
  }
  worker = await runWorker({ persist: folder, port: await freePort(), vars })
  direct = environment('direct', `${lab.url}/anthropic`, `${lab.url}/openai/v1`, `${lab.url}/gemini`)
  const admin = caller(worker.base, 'pilotlight-admin')
  await caller(worker.base)('GET', '/prefixes') // the account of development exists from its first call on
  const made = await admin<{ key: string }>('POST', '/accounts/dev/keys', { access: 'via' })
  if (made.status !== 201) throw new Error(`no key was made: ${made.status}`)
  const via = `${worker.base}/via/~${made.body.key}`
  through = environment('lab', `${via}/anthropic`, `${via}/openai`, `${via}/gemini`)
})

afterAll(async () => {
  await worker?.kill()
  await lab?.stop()
  await rm(folder, { recursive: true, force: true })
})

async function run(program: string, scenarios: string[], env: Record<string, string>): Promise<Results> {
  const path = join(import.meta.dirname, 'run.mjs')
  const { stdout } = await promisify(execFile)(process.execPath, [path, program, ...scenarios], {
    env: { PATH: process.env['PATH'] ?? '', LAB_URL: lab.url, ...env },
  })
  const { results } = JSON.parse(stdout) as { results: Results }
  const failed = Object.entries(results).flatMap(([client, told]) =>
    Object.entries(told).flatMap(([scenario, { failed: why }]) =>
      why === undefined ? [] : [{ client, scenario, why }],
    ),
  )
  expect(failed).toEqual([])
  return results
}

/** Requests of one client that the provider got, with its fingerprint of their key. */
async function received(client: string, since = 0): Promise<TranscriptRow[]> {
  const answer = await fetch(`${lab.url}/_lab/transcript?since=${since}`)
  const { data } = (await answer.json()) as { data: TranscriptRow[] }
  return data.filter(({ body }) => body.includes(`Guide of ${client}.`))
}

/** Cached tokens, and all of the input, as the provider says them. */
function readOf({ usage }: TranscriptRow): { cached: number; input: number } {
  const flat = JSON.stringify(usage)
  const count = (name: string): number => Number(new RegExp(`"${name}":(\\d+)`).exec(flat)?.[1] ?? 0)
  const cached = count('cache_read_input_tokens') + count('cached_tokens') + count('cachedContentTokenCount')
  const written = count('cache_creation_input_tokens')
  const input = count('input_tokens') + count('prompt_tokens') + count('promptTokenCount')
  return { cached, input: flat.includes('cache_read_input_tokens') ? input + cached + written : input }
}

describe.each(Object.entries(PROGRAMS))('%s', (program, clients) => {
  /** Straight to the provider, the AI SDK wants the version in a variable that Anthropic's SDK wants without. */
  const straight = (): Record<string, string> =>
    program === 'ai-sdk' ? { ...direct, ANTHROPIC_BASE_URL: `${direct['ANTHROPIC_BASE_URL']}/v1` } : direct
  let before: Results
  let first: Results
  let after: Results
  const ids = new Map<string, string>()
  /** Number of the last request that the provider had got by then, and its name for the key. */
  const registeredAt = new Map<string, number>()
  const keys = new Map<string, string>()

  beforeAll(async () => {
    before = await run(program, ['plain', 'stream', 'tools', 'abort', 'error'], straight())
    // Streams too: the AI SDK sends Anthropic other definitions of tools in a stream, and so another prefix.
    first = await run(program, ['plain', 'stream'], through)
    const call = caller(worker.base)
    for (const [client, { provider, model }] of Object.entries(clients)) {
      const { body: request = '' } =
        (await received(client)).findLast(({ body }) => body.includes('Who built it?')) ?? {}
      const wish = `{"name":"${client}","provider":"${provider}",${model === undefined ? '' : `"model":"${model}",`}"request":${request}}`
      const warmed = await call<{ id: string }>('POST', '/warm', wish)
      if (warmed.status !== 200) throw new Error(`${client} was not registered: ${JSON.stringify(warmed.body)}`)
      ids.set(client, warmed.body.id)
      const last = (await received(client)).at(-1)
      registeredAt.set(client, last?.seq ?? 0)
      keys.set(client, last?.key_fingerprint ?? '')
    }
    after = await run(program, ['again', 'stream', 'tools', 'abort', 'error'], through)
  })

  describe.each(Object.keys(clients))('%s', (client) => {
    const told = (scenario: string): { was: Told; is: Told } => ({
      was: before[client]?.[scenario] ?? {},
      is: after[client]?.[scenario] ?? {},
    })

    it('gets the answer that it got without the gateway', () => {
      const [was, is] = [before, first].map((results) => results[client]?.['plain'])
      expect(is).toEqual({ text: expect.stringMatching(/^ok /) as string, cached: 0 })
      expect(is).toEqual(was)
    })

    it('reads its whole prefix from the cache at its second call', async () => {
      const second = (await received(client)).find(({ body }) => body.includes('And when?'))
      expect(second).toBeDefined()
      const { cached, input } = readOf(second!)
      expect(input).toBeGreaterThan(5_000)
      expect(cached / input).toBeGreaterThan(0.95)
      expect(after[client]?.['again']).toMatchObject({ text: expect.stringMatching(/^ok /) as string, cached })
    })

    it('is counted as hits of the prefix that it was registered as, and as no miss since', async () => {
      const rows = (await received(client)).filter(({ key_fingerprint: key }) => key === keys.get(client))
      const isRead = (row: TranscriptRow): boolean => readOf(row).cached > 5_000
      const answered = rows.filter(({ status, faults }) => status === 200 && !faults.includes('drips'))
      const after = answered.filter(({ seq }) => seq > registeredAt.get(client)!)
      // What came before may be booked before or after the registration.
      const lost = answered.filter((row) => !isRead(row)).length
      const hits = after.filter((row) => isRead(row)).length
      // The second call, the stream and the two of the tool; the stream of the AI SDK at Anthropic is of another prefix.
      expect([hits, after.length]).toEqual([4, 4])
      const call = caller(worker.base)
      const counted = async (): Promise<Counted> => (await call<Counted>('GET', `/prefixes/${ids.get(client)}`)).body
      await expect
        .poll(async () => (await counted()).hits, { timeout: 30_000, interval: 250 })
        .toBeGreaterThanOrEqual(client === 'ai-sdk-anthropic' ? hits - 1 : hits)
      const { misses, last_hit: last } = await counted()
      expect(misses).toBeLessThanOrEqual(lost)
      expect(last?.cached_tokens).toBeGreaterThan(5_000)
    })

    it('streams the same text, piece by piece, and reads the cache', async () => {
      const { was, is } = told('stream')
      expect(is.text).toMatch(/^ok /)
      expect({ text: is.text, heard: is.heard }).toEqual({ text: was.text, heard: is.text })
      const rows = (await received(client)).filter(({ body }) => body.includes('Is it still there?'))
      expect(rows).toHaveLength(3)
      const { cached, input } = readOf(rows[2]!)
      expect(cached / input).toBeGreaterThan(0.95)
    })

    it('calls its tool and gets an answer to the result', async () => {
      const answered = { called: 'look_up', text: expect.stringMatching(/^ok /) as string }
      expect(told('tools')).toMatchObject({ was: answered, is: answered })
    })

    it('ends the provider’s call when it leaves', async () => {
      const { was, is } = told('abort')
      expect(is).toEqual(was)
      expect(is.left).toBe(true)
      const left = async (): Promise<(boolean | undefined)[]> =>
        (await received(client)).filter(({ faults }) => faults.includes('drips')).map((row) => row.client_left)
      await expect.poll(left, { timeout: 20_000 }).toEqual([true, true])
    })

    it('throws its own error for the provider’s refusal, with its time to wait', () => {
      const { was, is } = told('error')
      const words = ({ message = '' }: Told): string =>
        message.replaceAll(/http:\/\/\S+/g, 'URL').replaceAll(/req_lab_\d+/g, 'ID')
      expect({ ...is, message: words(is) }).toEqual({ ...was, message: words(was) })
      expect(is).toMatchObject({ status: 429, name: expect.stringMatching(/Error$/) as string })
    })
  })
})
