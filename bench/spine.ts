import { execFile } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { gzipSync } from 'node:zlib'
import { cardById, dialectOf } from '../src/providers/registry.ts'
import { createTransport } from '../src/providers/transport/send.ts'
import { badDay } from '../test/scenarios/settings.ts'
import { World } from '../test/scenarios/world.ts'
import type { Operations } from '../test/scenarios/world.ts'
import { anthropicBody } from '../test/support/registration.ts'
import { cpuSeconds, quantile, say } from './figure.ts'
import type { Figure } from './figure.ts'
import { startLocal } from './local.ts'
import { PRICES } from './prices.ts'
import type { Rows } from './runtime/worker.ts'
import { HOUR_MS } from '../src/core/time/time.ts'

const root = resolve(import.meta.dirname, '..')
const KEY = 'pilotlight-dev'

export async function spine(): Promise<{ figures: Figure[]; notes: string[] }> {
  const figures: Figure[] = []
  const notes: string[] = []
  const add = (name: string, value: number, unit: string, how: string, aim?: string): void => {
    figures.push(aim === undefined ? { name, value, unit, how } : { name, value, unit, how, aim })
  }

  say('spine: operations of 10,000 prefixes in the world …')
  const many = steadyOperations(10_000)
  say('spine: operations of 10 prefixes in the world …')
  const few = steadyOperations(10)

  say('spine: rows and claims in workerd …')
  const bench = await startLocal('bench/runtime/wrangler.toml', {}, '/none')
  const ask = async <Answer>(path: string): Promise<Answer> => (await fetch(bench.url + path)).json() as Promise<Answer>
  try {
    await addCost('10,000 prefixes', many, 'many')
    await addCost('10 prefixes', few, 'few')
    const stateBytes = await ask<number>('/fill?name=million&prefixes=1000000&per=500')
    const claims = await ask<{ claimed: number; ms: number }[]>('/claim?name=million&slots=2&times=20')
    if (claims.some(({ claimed }) => claimed !== 1_000)) throw new Error('a claim did not take 1,000')
    const times = claims.map(({ ms }) => ms)
    add(
      'claiming 1,000 of 1,000,000',
      quantile(times, 0.5),
      'ms',
      `median of 20 calls of ProbeScheduler.sweep in workerd, from reading the slots to the claims written, timed inside the object in whole milliseconds (worst ${Math.max(...times)}); 1,000,000 state rows of ${stateBytes} B, those of one claim scattered over the table; the next claim finds others`,
      '< 10',
    )
  } finally {
    await bench.stop()
  }

  async function addCost(label: string, ops: Operations, name: string): Promise<void> {
    const per = Math.max(1, Math.round(ops.probes / ops.messages))
    const settlements = Math.max(1, ops.settlements / ops.messages)
    const rowsAt = (parts: number): Promise<Rows> =>
      ask<Rows>(`/rows?name=${name}${parts}&per=${per}&slots=8&settlements=${parts}&rounds=33`)
    const [low, high] = [await rowsAt(Math.floor(settlements)), await rowsAt(Math.floor(settlements) + 1)]
    const between = (of: (rows: Rows) => number): number =>
      (of(low) / low.probes) * (1 - (settlements % 1)) + (of(high) / high.probes) * (settlements % 1)
    const each = (count: number): number => count / ops.probes
    const written = between((rows) => rows.written) + each(ops.alarmsSet)
    const read = between((rows) => rows.read)
    const cpuMs = await consumerCpuMs()
    const parts: [what: string, dollars: number][] = [
      ['rows written', written * PRICES.rowWritten],
      ['rows read', read * PRICES.rowRead],
      ['object requests', each(ops.objectRequests) * PRICES.objectRequest],
      ['queue operations', each(ops.queueOperations) * PRICES.queueOperation],
      ['Worker requests', each(ops.workerRequests) * PRICES.workerRequest],
      ['Worker CPU', cpuMs * PRICES.workerCpuMs],
    ]
    const inWorld = `counted in the world (seed 1, 90 steady minutes of a bad day, ${label})`
    add(
      `rows written per probe, ${label}`,
      written,
      '',
      `sum of workerd's cursors over sweep, begin and settle of ${low.probes} probes, ${per} to a message, settled in ${settlements.toFixed(1)} parts as in the world (between ${Math.floor(settlements)} and one more), and one row for each alarm set`,
    )
    add(
      `rows read per probe, ${label}`,
      read,
      '',
      "workerd's cursors, the same probes, the reading of the next alarm included",
    )
    add(
      `object requests per probe, ${label}`,
      each(ops.objectRequests),
      '',
      `${inWorld}: begin, settle, body, sweep, alarm, Directory`,
    )
    add(
      `queue operations per probe, ${label}`,
      each(ops.queueOperations),
      '',
      `${inWorld}: one write, read and delete a message, and those of double deliveries`,
    )
    add(
      `Worker requests per probe, ${label}`,
      each(ops.workerRequests),
      '',
      `${inWorld}: consumer invocations, one message each, and cron`,
    )
    add(
      `Worker CPU per probe, ${label}`,
      cpuMs,
      'ms',
      'building and sending one Anthropic probe of 20 kB with the shipped dialect and door against a stub, 400 times in Node by process.cpuUsage; production bills whole milliseconds by invocation',
    )
    const dollars = parts.reduce((sum, [, cost]) => sum + cost, 0) * 1e6
    add(
      `platform cost, ${label}`,
      dollars,
      '$ per million probes',
      `${parts.map(([what, cost]) => `${what} ${(cost * 1e6).toFixed(3)}`).join(', ')}; Cloudflare's list prices of 2026-11-21 beyond the included amounts`,
      ...(name === 'many' ? ['≤ 2'] : []),
    )
    if (name === 'many') {
      const perSecond = ops.probes / (1.5 * 3_600)
      notes.push(
        `Not in the sum: the object's duration, at most $${((1e6 / perSecond) * PRICES.objectSecond).toFixed(2)} per million probes if it never left memory at ${perSecond.toFixed(1)} probes a second, and stored bytes.`,
      )
    }
  }

  say('spine: the API with the lab answering at once …')
  const lab = await startLocal('test/lab/wrangler.toml', { LAB_LATENCY: 'off' }, '/')
  const vars = {
    ENVIRONMENT: 'development',
    ADMIN_KEY: 'pilotlight-admin',
    DEV_ACCOUNT_KEY: KEY,
    LAB_URL: lab.url,
    LAB_PROVIDERS: 'anthropic',
  }
  const worker = await startLocal('wrangler.toml', vars, '/health')
  try {
    add(
      'start to first answer',
      worker.readyMs,
      'ms',
      'bundling, start of workerd and GET /health, once: an upper bound, not the isolate start that production sees',
    )
    const first = await timed(() => fetch(`${worker.url}/openapi.json`))
    const road = await rounds(200, 1, async () => void (await (await fetch(`${worker.url}/health`)).text()))
    add(
      'GET /health p50',
      quantile(road.ms, 0.5),
      'ms',
      `200 calls, one after the other: what the road itself costs here`,
    )
    const alone = await rounds(300, 1, (n) => post(worker.url, '/warm', warmBody(`a${n}`)))
    const local = 'over HTTP to local workerd; caller, Worker and lab share the cores'
    add(
      '/warm p50',
      quantile(alone.ms, 0.5),
      'ms',
      `300 new prefixes of 20 kB, one after the other, the lab answering at once, ${local} (the first answer of another route took ${first.toFixed(0)} ms)`,
    )
    add('/warm p99', quantile(alone.ms, 0.99), 'ms', 'the same calls')
    const warm = await rounds(400, 8, (n) => post(worker.url, '/warm', warmBody(`${n}`)))
    add('registrations that warm', 400 / warm.seconds, '/s', `400 new prefixes of 20 kB, 8 callers at once, ${local}`)
    const id = await firstId(worker.url)
    const singles = await rounds(1_500, 32, () => post(worker.url, '/observations', observed(id, 1)))
    add(
      'observations, singles',
      1_500 / singles.seconds,
      '/s',
      `1,500 calls of one observation each on one prefix, 32 at once, ${local}`,
    )
    const batches = await rounds(40, 2, () => post(worker.url, '/observations', observed(id, 1_000)))
    add(
      'observations, batches',
      40_000 / batches.seconds,
      '/s',
      `40 calls of 1,000 observations each on one prefix, 2 at once, ${local}`,
      '≥ 5,000',
    )
    const plain = await rounds(1_000, 16, (n) => post(worker.url, '/warm', warmBody(`b${n}`, true)))
    add(
      'registrations in the background',
      1_000 / plain.seconds,
      '/s',
      '1,000 new prefixes with background: true, 16 callers at once, the queue at work beside them',
    )
  } finally {
    await worker.stop()
    await lab.stop()
  }

  say('spine: the bundle …')
  const { raw, gzip } = await bundle()
  add('bundle', raw / 1024, 'KiB', 'wrangler deploy --dry-run --outdir, all modules, unminified')
  add('bundle, gzip', gzip / 1024, 'KiB', 'the same modules through gzip, level 9', '< 3,072 (Free plan)')
  addReach(add, notes)
  return { figures, notes }
}

/** Operations from 1.5 h to 3 h of the world, when every prefix is registered and written. */
function steadyOperations(prefixes: number): Operations {
  const world = new World({ ...badDay(1), prefixes }).runFor(1.5 * HOUR_MS)
  const before = { ...world.operations }
  world.runFor(3 * HOUR_MS)
  const after = world.operations
  return Object.fromEntries(
    Object.entries(after).map(([name, count]) => [name, count - before[name as keyof Operations]]),
  ) as unknown as Operations
}

async function consumerCpuMs(): Promise<number> {
  const card = cardById('anthropic')
  if (card === undefined) throw new Error('the card is gone')
  const dialect = dialectOf(card)
  const text = anthropicBody('bench')
  const answer = JSON.stringify({
    id: 'm',
    type: 'message',
    role: 'assistant',
    model: 'claude-sonnet-4-5',
    content: [],
    stop_reason: 'max_tokens',
    stop_sequence: null,
    usage: { input_tokens: 4, output_tokens: 0, cache_read_input_tokens: 5_000, cache_creation_input_tokens: 0 },
  })
  const door = createTransport({
    fetch: async () => new Response(answer, { headers: { 'content-type': 'application/json' } }),
  })
  const facts = {
    minimumTokens: 1024,
    retentions: [],
    writesReported: true,
    primitives: ['zero_output' as const],
    price: null,
  }
  const prefix = dialect.prepare({ text }, () => facts)
  const once = async (): Promise<void> => {
    const request = dialect.probe(
      { text: prefix.text, model: prefix.model, breakpoint: prefix.breakpoint },
      { primitive: 'zero_output', retention: '5m' },
    )
    const sent = await door.send({
      card,
      baseUrl: 'https://stub.invalid',
      credential: 'stub',
      request,
      timeoutMs: 10_000,
    })
    if (sent.kind !== 'answered') throw new Error('the stub did not answer')
    dialect.readAnswer(sent.text, 'application/json')
  }
  for (let n = 0; n < 100; n++) await once()
  const { cpuS } = await cpuSeconds(async () => {
    for (let n = 0; n < 400; n++) await once()
  })
  return (cpuS * 1_000) / 400
}

async function timed(work: () => Promise<Response>): Promise<number> {
  const from = performance.now()
  await (await work()).text()
  return performance.now() - from
}

/** Calls `work` `count` times, at most `width` at once. */
async function rounds(
  count: number,
  width: number,
  work: (n: number) => Promise<void>,
): Promise<{ ms: number[]; seconds: number }> {
  const ms: number[] = []
  let next = 0
  const from = performance.now()
  await Promise.all(
    Array.from({ length: width }, async () => {
      for (let n = next++; n < count; n = next++) {
        const startedAt = performance.now()
        await work(n)
        ms.push(performance.now() - startedAt)
      }
    }),
  )
  return { ms, seconds: (performance.now() - from) / 1_000 }
}

const HEADERS = { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' }

async function post(base: string, path: string, body: string): Promise<void> {
  const response = await fetch(base + path, { method: 'POST', headers: HEADERS, body })
  const text = await response.text()
  if (response.status >= 300) throw new Error(`${path} answered ${response.status}: ${text.slice(0, 300)}`)
}

function warmBody(tag: string, background = false): string {
  return `{"provider":"anthropic","background":${background},"keep_warm":{"plan":"off"},"request":${anthropicBody(tag)}}`
}

async function firstId(base: string): Promise<string> {
  const response = await fetch(`${base}/prefixes?limit=1`, { headers: HEADERS })
  const { data } = (await response.json()) as { data: { id: string }[] }
  const id = data[0]?.id
  if (id === undefined) throw new Error('no prefix is registered')
  return id
}

function observed(id: string, count: number): string {
  const usage = { input_tokens: 20, output_tokens: 100, cache_read_input_tokens: 5_000, cache_creation_input_tokens: 0 }
  const one = { prefix_id: id, started_at: new Date().toISOString(), usage }
  return JSON.stringify(Array.from({ length: count }, () => one))
}

async function bundle(): Promise<{ raw: number; gzip: number }> {
  const folder = await mkdtemp(join(tmpdir(), 'pilotlight-bundle-'))
  try {
    const args = [join(root, 'node_modules/wrangler/bin/wrangler.js'), 'deploy', '--dry-run', '--outdir', folder]
    const env = { ...process.env, WRANGLER_SEND_METRICS: 'false' }
    await promisify(execFile)(process.execPath, args, { cwd: root, env })
    let raw = 0
    let gzip = 0
    for (const name of (await readdir(folder)).filter((file) => /\.(js|html|wasm|txt)$/.test(file))) {
      const bytes = await readFile(join(folder, name))
      raw += bytes.length
      gzip += gzipSync(bytes, { level: 9 }).length
    }
    return { raw, gzip }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Computes the platform's limits from the figures above. */
function addReach(add: (name: string, value: number, unit: string, how: string) => void, notes: string[]): void {
  const latencyS = 0.7
  const queue = (250 * 6) / latencyS
  add(
    'one queue',
    Math.floor(queue),
    'probes/s',
    `arithmetic: 250 consumers at once × 6 connections ÷ ${latencyS} s a call; 5,000 messages a second of 17 probes are far away`,
  )
  const calls = 500
  const perProbe = 1.26
  const registry = calls / perProbe
  add(
    'one Registry',
    Math.floor(registry),
    'probes/s',
    `arithmetic: ${calls} calls a second with JSON work (Cloudflare's guidance for one object) ÷ ${perProbe} calls a probe`,
  )
  add(
    'one Registry, 5-minute prefixes',
    Math.floor(registry * 277),
    'prefixes',
    'arithmetic: one probe every 277 s each',
  )
  add(
    'one Registry, 1-hour prefixes',
    Math.floor(registry * 3_577),
    'prefixes',
    'arithmetic: one probe every 3,577 s each; 2,000,000 is the registered limit, and 10 GB the stored one',
  )
  notes.push(
    "What breaks first: the provider's own request limits; then the calls that one Registry takes, most of them for bodies; then, for large bodies, its 10 GB. A deployment grows with its accounts, each a Registry of its own; all of them share one probe queue.",
  )
}
