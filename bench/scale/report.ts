import { anthropicBody } from '../../test/support/registration.ts'
import { HOUR_MS } from '../../src/core/time/time.ts'
import { quantile, say } from '../figure.ts'
import type { Figure } from '../figure.ts'
import { firstBend, growthFigures, rounds } from './rounds.ts'
import type { Growth, Measured } from './rounds.ts'
import { runtimeMegabytes, startScale } from './running.ts'
import type { Running } from './running.ts'

const SIZES = [100, 1_000, 5_000]
const FILL_AT_ONCE = 500

interface Rows {
  read: number
  written: number
}

interface Operation {
  name: string
  how: string
  /** Number of calls at each size. */
  calls: number
  work: (n: number) => Promise<unknown>
}

/** Lets one account grow to `prefixes`, and one deployment to `accounts`. */
export async function scaleBench(sizes: {
  prefixes?: number
  accounts?: number
}): Promise<{ figures: Figure[]; notes: string[] }> {
  const { prefixes = 20_000, accounts = 10_000 } = sizes
  const running = await startScale()
  try {
    const notes: string[] = []
    const figures: Figure[] = []
    const note = (what: string, growths: readonly Growth[]): void => {
      figures.push(...growths.flatMap(growthFigures))
      notes.push(`${what}: ${firstBend(growths)}`)
    }
    note('Prefixes of one account', await prefixGrowth(running, upTo(prefixes), figures))
    figures.push(...(await hotPrefix(running)))
    note('Accounts of one deployment', await accountGrowth(running, upTo(accounts), figures))
    notes.push('Callers, Worker and lab share the cores: compare figures of one run, not of two machines.')
    return { figures, notes }
  } finally {
    await running.stop()
  }
}

function upTo(most: number): number[] {
  return [...SIZES.filter((size) => size < most), most]
}

async function grown(
  running: Running,
  sizes: readonly number[],
  operations: readonly Operation[],
  counter: string,
  fill: (from: number, until: number) => Promise<unknown>,
  filled: (size: number) => void,
): Promise<Growth[]> {
  const growths = operations.map(({ name, how }): Growth => ({ name, how, sizes: [...sizes], measured: [] }))
  let there = 0
  for (const size of sizes) {
    for (; there < size; there = Math.min(size, there + FILL_AT_ONCE))
      await fill(there, Math.min(size, there + FILL_AT_ONCE))
    filled(size)
    for (const [index, operation] of operations.entries()) {
      await operation.work(-1 - size) // the first call of a kind compiles
      growths[index]?.measured.push(await measured(running, counter, operation, size))
    }
  }
  return growths
}

async function measured(
  running: Running,
  counter: string,
  { calls, work, name }: Operation,
  size: number,
): Promise<Measured> {
  const rowsNow = async (): Promise<number> => {
    const { read, written } = JSON.parse(await running.call(counter)) as Rows
    return read + written
  }
  const before = await rowsNow()
  const { ms, totalMs } = await rounds(calls, 1, (n) => work(size + n))
  const rows = Math.round((await rowsNow()) - before) / calls
  say(`scale: ${name} at ${size}: ${quantile(ms, 0.5).toFixed(1)} ms, ${rows.toFixed(0)} rows`)
  return { ms, totalMs, rows }
}

async function prefixGrowth(running: Running, sizes: number[], figures: Figure[]): Promise<Growth[]> {
  const template = warmBody('template')
  const list = (query: string) => () => wholeList(running, query)
  const operations: Operation[] = [
    {
      name: 'registration',
      how: 'POST /warm of a new prefix of 20 kB, from the call to its receipt, the lab answering at once; 20 calls',
      calls: 20,
      work: (n) => running.call('/warm', { body: warmBody(`own-${n}`) }),
    },
    {
      name: 'list',
      how: 'GET /prefixes?limit=50; 20 calls',
      calls: 20,
      work: () => running.call('/prefixes?limit=50'),
    },
    ...['name=agent-7', 'stopped=true', 'drifted=true', 'needs_somebody=true', 'provider=openai', 'state=cold'].map(
      (query): Operation => ({
        name: `filter ${query}`,
        how: `all pages of GET /prefixes?${query}, one match at most; 3 times`,
        calls: 3,
        work: list(query),
      }),
    ),
    { name: 'metrics', how: 'GET /metrics; 20 calls', calls: 20, work: () => running.call('/metrics') },
    {
      name: 'idle sweep',
      how: "the account's sweep of a minute in which nothing is due, with a daily budget; 20 calls",
      calls: 20,
      work: () => running.call('/_bench/sweep?account=dev&ahead=0'),
    },
    {
      name: 'observation',
      how: 'POST /observations of one real request with its body; 20 calls',
      calls: 20,
      work: () => running.call('/observations', { body: observedBody() }),
    },
  ]
  await running.call('/warm', { body: warmBody('hot') })
  return grown(
    running,
    sizes,
    operations,
    '/_bench/rows?account=dev',
    async (from, until) => {
      say(`scale: filling prefixes ${from} to ${until} …`)
      await running.call(`/_bench/fill?account=dev&from=${from}&until=${until}`, { body: template })
    },
    (size) => figures.push(memory(`${size.toLocaleString('en-US')} prefixes`)),
  )
}

/** Reads a filtered list to its end. */
async function wholeList(running: Running, query: string): Promise<number> {
  let found = 0
  for (let cursor: string | null = ''; cursor !== null;) {
    const more = cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`
    const page = JSON.parse(await running.call(`/prefixes?limit=200&${query}${more}`)) as {
      data: unknown[]
      next_cursor: string | null
    }
    found += page.data.length
    cursor = page.next_cursor
  }
  return found
}

async function hotPrefix(running: Running): Promise<Figure[]> {
  const { id } = JSON.parse(await running.call('/warm', { body: warmBody('hot') })) as { id: string }
  const one = JSON.stringify([{ prefix_id: id, started_at: new Date().toISOString(), usage: USAGE }])
  const [calls, width] = [1_500, 32]
  const singles = async () => rounds(calls, width, () => running.call('/observations', { body: one }))
  await rounds(100, width, () => running.call('/observations', { body: one }))
  const [road, observed] = [await rounds(calls, width, () => running.call('/health')), await singles()]
  const how = `${calls} calls, ${width} at once, over HTTP to local workerd`
  const perSecond = (ms: number): number => (calls * 1_000) / ms
  say(`scale: ${perSecond(observed.totalMs).toFixed(0)} observations a second on one prefix`)
  return [
    { name: 'GET /health', value: perSecond(road.totalMs), unit: '/s', how: `what the road itself takes: ${how}` },
    {
      name: 'single observations on one prefix',
      value: perSecond(observed.totalMs),
      unit: '/s',
      how: `one observation in each call; ${how}`,
    },
    { name: 'single observations, p99', value: quantile(observed.ms, 0.99), unit: 'ms', how },
    {
      name: 'single observations over the road',
      value: observed.totalMs / road.totalMs,
      unit: '× the time of GET /health',
      how: 'the two figures above',
    },
  ]
}

async function accountGrowth(running: Running, sizes: number[], figures: Figure[]): Promise<Growth[]> {
  const admin = (path: string) => () => running.call(path, { admin: true })
  const operations: Operation[] = [
    {
      name: 'list of accounts',
      how: 'GET /accounts?limit=200; 10 calls',
      calls: 10,
      work: admin('/accounts?limit=200'),
    },
    { name: 'one account', how: 'GET /accounts/{id}; 10 calls', calls: 10, work: admin('/accounts/tenant-000007') },
    { name: 'health', how: 'GET /health; 10 calls', calls: 10, work: admin('/health') },
    { name: 'kill switch read', how: 'GET /kill-switch; 10 calls', calls: 10, work: admin('/kill-switch') },
    {
      name: 'idle tick',
      how: 'the cron of a minute in which no account is due; 10 calls',
      calls: 10,
      work: () => running.call('/_bench/tick'),
    },
    // The last, because the accounts are told of it afterwards.
    {
      name: 'change of facts',
      how: 'PATCH /providers/anthropic, from the call to its answer; 5 calls',
      calls: 5,
      work: (n) => changeFacts(running, n),
    },
  ]
  return grown(
    running,
    sizes,
    operations,
    '/_bench/directory-rows',
    async (from, until) => {
      say(`scale: creating accounts ${from} to ${until} …`)
      await running.call(`/_bench/accounts?from=${from}&until=${until}`)
    },
    (size) => figures.push(memory(`${size.toLocaleString('en-US')} accounts beside them`)),
  )
}

async function changeFacts(running: Running, n: number): Promise<void> {
  const body = JSON.stringify({
    models: [{ models: ['claude-opus-4-8'], minimum_tokens: 2_000 + (Math.abs(n) % 1_000) }],
  })
  await running.call('/providers/anthropic', { method: 'PATCH', body, admin: true })
}

/** Memory of the larger workerd: the other runs the lab. */
function memory(at: string): Figure {
  const value = Math.max(0, ...runtimeMegabytes())
  return {
    name: `memory at ${at}`,
    value,
    unit: 'MB',
    how: 'resident memory of the workerd of the Worker and its objects',
  }
}

const USAGE = { input_tokens: 20, output_tokens: 100, cache_read_input_tokens: 5_000, cache_creation_input_tokens: 0 }

function warmBody(tag: string): string {
  return `{"provider":"anthropic","keep_warm":{"plan":"auto"},"request":${anthropicBody(tag, '1h')}}`
}

function observedBody(): string {
  const at = new Date(Date.now() - HOUR_MS / 3_600).toISOString()
  return `[{"provider":"anthropic","started_at":"${at}","usage":${JSON.stringify(USAGE)},"request":${anthropicBody('hot', '1h')}}]`
}
