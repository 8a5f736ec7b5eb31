import { createHash } from 'node:crypto'
import { evictDurableObject, runInDurableObject } from 'cloudflare:test'
import { vi } from 'vitest'
import { ADMIN, bindings, call } from '../http/support.ts'
import { createLab, memoryStore } from '../lab/index.ts'
import type { Lab, LabTable } from '../lab/index.ts'

/** Reads the storage of a deployment's objects as plain data, and writes it into new objects. */

/** A row by its columns. A blob is `{ base64 }`. */
export type StoredRow = Record<string, string | number | null | { base64: string }>

export interface StoredObject {
  binding: 'DIRECTORY' | 'REGISTRY' | 'BOT'
  name: string
  /** Epoch ms of its alarm; null: none is set. */
  alarm: number | null
  /** Statements that created its tables and indexes, in order. */
  schema: string[]
  tables: Record<string, StoredRow[]>
}

export interface StoredState {
  /** Epoch ms at which the rows were read. */
  at: number
  objects: StoredObject[]
  /** State of the simulated providers at that time. */
  lab: Record<string, [key: string, json: string][]>
  /** Secrets that only the first answer shows, and ids that the test uses. */
  known: Record<string, string>
}

type Stub = DurableObjectStub<undefined>

export function stubOf(binding: StoredObject['binding'], name: string): Stub {
  return bindings[binding].getByName(name) as unknown as Stub
}

/** Returns every table except the platform's own. */
export function tablesOf(sql: SqlStorage): string[] {
  const query =
    "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_cf%' ESCAPE '\\' ORDER BY name"
  return sql
    .exec<{ name: string }>(query)
    .toArray()
    .map(({ name }) => name)
}

/** `cutOffAt`: the alarm of an object whose handler is running; the platform runs such an alarm again. */
export function readObject(
  binding: StoredObject['binding'],
  name: string,
  cutOffAt: number | null = null,
): Promise<StoredObject> {
  return runInDurableObject(stubOf(binding, name), async (_, { storage }) => {
    const statements = `SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE '\\_cf%' ESCAPE '\\'
      AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY rowid`
    const schema = storage.sql.exec<{ sql: string }>(statements).toArray()
    const tables: Record<string, StoredRow[]> = {}
    for (const table of tablesOf(storage.sql)) {
      tables[table] = storage.sql
        .exec(`SELECT * FROM ${table}`)
        .toArray()
        .map((row) => Object.fromEntries(Object.entries(row).map(([column, value]) => [column, plain(value)])))
    }
    const alarm = (await storage.getAlarm()) ?? cutOffAt
    return { binding, name, alarm, schema: schema.map(({ sql }) => sql), tables }
  })
}

/** Replaces the object's rows. The next call starts a new instance that reads them. */
export async function writeObject({ binding, name, alarm, schema, tables }: StoredObject): Promise<void> {
  const stub = stubOf(binding, name)
  await runInDurableObject(stub, async (_, { storage }) => {
    await storage.deleteAll()
    for (const statement of schema) storage.sql.exec(statement)
    for (const [table, rows] of Object.entries(tables)) {
      // Each insert changes this table of the platform, so it is written last.
      if (table === 'sqlite_sequence') continue
      for (const row of rows) insert(storage.sql, table, row)
    }
    for (const { name: table, seq } of tables['sqlite_sequence'] ?? []) {
      storage.sql.exec('DELETE FROM sqlite_sequence WHERE name = ?', table)
      storage.sql.exec('INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)', table, seq)
    }
    if (alarm !== null) await storage.setAlarm(alarm)
  })
  await evictDurableObject(stub)
}

function insert(sql: SqlStorage, table: string, row: StoredRow): void {
  const columns = Object.keys(row)
  const values = Object.values(row).map((value) =>
    value !== null && typeof value === 'object' ? Buffer.from(value.base64, 'base64') : value,
  )
  const places = columns.map(() => '?').join(', ')
  sql.exec(`INSERT INTO ${table} (${columns.join(', ')}) VALUES (${places})`, ...values)
}

function plain(value: SqlStorageValue): string | number | null | { base64: string } {
  return value instanceof ArrayBuffer ? { base64: Buffer.from(value).toString('base64') } : value
}

// The providers, tools and webhooks

export interface Network {
  lab: Lab
  /** Requests to tools and webhooks, in order. */
  asked: { url: string; headers: Headers; text: string }[]
  /** Answers first. If it returns null, the lab answers, or no one. */
  answer: (request: Request, text: string) => Promise<Response> | Response | null
}

const LAB_TABLES: LabTable[] = ['entry', 'handle', 'setting']

/** Replaces the network: the lab answers for providers, `answer` for tools and webhooks. */
export function installNetwork(remembered: StoredState['lab'] = {}): Network & { memory: () => StoredState['lab'] } {
  const store = memoryStore()
  for (const table of LAB_TABLES) store.put(table, remembered[table] ?? [])
  const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
  const lab = createLab({ now: () => Date.now(), sleep, latency: 'off', store })
  const memory = (): StoredState['lab'] => Object.fromEntries(LAB_TABLES.map((table) => [table, store.load(table)]))
  const network: Network & { memory: typeof memory } = { lab, asked: [], answer: () => null, memory }
  vi.spyOn(globalThis, 'fetch').mockImplementation(async (input, init) => {
    const request = new Request(input, init)
    const text = await request.clone().text()
    const isLab = new URL(request.url).host === 'lab.test'
    if (!isLab) network.asked.push({ url: request.url, headers: new Headers(request.headers), text })
    const answer = network.answer(request, text)
    if (answer !== null) return answer
    return isLab ? lab.fetch(request) : new Response('no network in tests', { status: 599 })
  })
  return network
}

/** Writes all rows, with the clock at the instant at which they were read. */
export async function restore(state: StoredState): Promise<Network> {
  vi.useFakeTimers({ toFake: ['Date'], now: state.at })
  const network = installNetwork(state.lab)
  for (const object of state.objects) await writeObject(object)
  return network
}

// Answers

/** Longest text that is compared as it is; longer ones by their hash. */
const LONGEST = 200

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

/** Members that are not compared: sentences for users, which may change (`how` too), and the platform's size of a database. */
const NOT_COMPARED = new Set(['why', 'advice', 'message', 'how', 'stored_bytes'])

export function settled(value: unknown): unknown {
  if (typeof value === 'string' && value.length > LONGEST) return `sha256 ${sha256(value)}`
  if (Array.isArray(value)) return value.map(settled)
  if (value === null || typeof value !== 'object') return value
  return Object.fromEntries(
    Object.entries(value).flatMap(([name, member]) => (NOT_COMPARED.has(name) ? [] : [[name, settled(member)]])),
  )
}

/** Metrics that came after a791afb, and the size of a database, which grows with its tables. */
const NEWER_METRICS =
  /pilotlight_edits_stopped|pilotlight_prefixes_alarmed|pilotlight_alarms_total|pilotlight_prefixes_drifted|pilotlight_unmatched_observations_total|pilotlight_diagnosed_misses_total|^pilotlight_stored_bytes /

/** Reads everything of the state that a route answers, by route. `key` is the account's. */
export async function readings(key: string, account: string): Promise<Record<string, unknown>> {
  const answers: Record<string, unknown> = {}
  const ask = async (path: string, how: { key: string }, method = 'GET', body?: unknown): Promise<unknown> => {
    const answer = await call(method, path, body, { ...how, headers: { 'x-request-id': 'recorded' } })
    const isJson = answer.headers.get('content-type')?.includes('json') === true
    const told = isJson
      ? answer.json
      : answer.text.split('\n').filter((line) => !line.startsWith('# HELP') && !NEWER_METRICS.test(line))
    answers[`${method} ${path}`] = [answer.status, settled(told)]
    return answer.json
  }
  const own = { key }
  const admin = { key: ADMIN }
  /** Ids in a list: each resource is read by itself as well. */
  const list = async (path: string): Promise<string[]> => {
    const found = ids(await ask(path, own))
    answers[`GET ${path}`] = found
    return found
  }
  const ids = (list: unknown): string[] => (list as { data: { id: string }[] }).data.map(({ id }) => id)

  for (const id of await list('/prefixes?limit=200')) {
    for (const rest of ['', '/history?limit=40&order=desc', '/request']) await ask(`/prefixes/${id}${rest}`, own)
    await ask(`/prefixes/${id}/preview`, own, 'POST', { keep_warm: { plan: 'always' } })
  }
  await list('/prefixes?stopped=true')
  await list('/prefixes?needs_somebody=true')
  const [newest = ''] = await list('/prefixes?name=handbook')
  await ask(`/prefixes/${newest}/warmth`, own)
  // A single cache is not read, because that request counts as use of the cache.
  for (const id of ids(await ask('/caches', own))) await ask(`/caches/${id}/history`, own)
  for (const path of [
    '/ledger?limit=1000',
    '/ledger?group=day&from=2031-01-01',
    '/ledger?group=prefix&from=2031-01-01',
  ])
    await ask(path, own)
  for (const path of ['/metrics', '/gateways', '/gateways/desk', '/bots/tool-secret']) await ask(path, own)
  for (const id of ids(await ask('/accounts', admin)))
    for (const rest of ['', '/keys', '/credentials', '/webhook']) await ask(`/accounts/${id}${rest}`, admin)
  for (const id of ['anthropic', 'openai']) await ask(`/providers/${id}`, admin)
  const stored = await readObject('REGISTRY', account)
  const column = (table: string): string[] => (stored.tables[table] ?? []).map((row) => String(row['id']))
  for (const id of [...column('job'), ...column('crew')]) await ask(`/jobs/${id}`, own)
  for (const id of column('bot')) for (const rest of ['', '/snapshot']) await ask(`/bots/${id}${rest}`, own)
  return answers
}

// Verdicts

const SKETCH_START =
  '{"model":"claude-opus-4-8","order":null,"betas":null,"cacheKey":null,"affinity":null,"routing":null,"settings":[],' +
  '"reads":{"lookback":20,"marksEnd":false},"maxMarkers":4,"sections":"lbt","blocks":"0+dE_ZW2ZP25@tools[0] '
const SKETCH_END =
  '2+tupFdSdE11,-----------------------------------xGrPv@messages[0].content","tools":[["tools[0]","h4zKh","YtWhub3",' +
  '"Go_v_EW","-----------------------------------PHmof"]],"system":'

/** Sketches of two bodies that differ in a clock in the system prompt, as the first version that has verdicts wrote them. */
export const SKETCHES = {
  earlier: `${SKETCH_START}1+*sQm81xTb2h2q,-----JZz_1JZz_1--------------------63bTn@system[0] ${SKETCH_END}"k3RaM_x"}`,
  later: `${SKETCH_START}1+*sGrLSiM2h2q,-----JZz_1JZz_1--------------------63bTn@system[0] ${SKETCH_END}"YIweBDT"}`,
}

/** Rows of the tables of verdicts, as that version wrote them: one conversation whose last call had read, and the misses of a day. */
export function verdictRows(at: number, day: string): Record<'passed_call' | 'miss', StoredRow[]> {
  const call =
    '{"sketch":' +
    JSON.stringify(SKETCHES.earlier) +
    ',"session":"s1","label":null,"family":"f1","credential":"c1","model":"claude-opus-4-8","retention":"5m","name":null,' +
    `"doneMs":900,"provider":"anthropic","startedAt":${at},"ttftMs":500,"usage":{"inputTokens":6000,"uncachedTokens":10,` +
    '"cacheReadTokens":5990,"cacheWriteTokens":0,"cacheWriteByRetention":{},"outputTokens":9,"reasoningTokens":null},"prefix":null}'
  const totals =
    '{"count":3,"lostTokens":17970,"unmeasured":1,"nanos":103327500,"unpriced":1,' +
    `"last":{"at":${at},"prefix":null,"path":"system[0]"}}`
  return {
    passed_call: [{ k: 7, keys: '["anthropic","claude-opus-4-8","s1",null,"f1"]', at, calls: `[${call}]` }],
    miss: [{ day, verdict: 'clock_in_prefix', name: 'agent', totals }],
  }
}

/** Adds rows to the tables of an object, which reads them when it is next asked. */
export async function addRows(
  binding: StoredObject['binding'],
  name: string,
  tables: Record<string, StoredRow[]>,
): Promise<void> {
  const stub = stubOf(binding, name)
  await runInDurableObject(stub, async (_, { storage }) => {
    for (const [table, rows] of Object.entries(tables)) for (const row of rows) insert(storage.sql, table, row)
  })
  await evictDurableObject(stub)
}
