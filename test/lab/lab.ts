import { PrefixCache } from './cache-model.ts'
import type { CacheEntry } from './cache-model.ts'
import { LabClock } from './clock.ts'
import type { ClockState } from './clock.ts'
import { control } from './control.ts'
import { CountingRules } from './counting.ts'
import type { CountingRule, Vocabulary } from './counting.ts'
import { deliver, htmlPage, jsonResponse } from './deliver.ts'
import { Fingerprints } from './fingerprints.ts'
import { Refusal } from './dialect.ts'
import type { CachedContent, Call, Dialect, Opened, World } from './dialect.ts'
import { anthropic } from './anthropic.ts'
import { bedrock } from './bedrock.ts'
import { engineDialect } from './engines/chat.ts'
import { ENGINES, Engines, isEngine } from './engines/engines.ts'
import type { EngineName, EngineSettings } from './engines/engines.ts'
import { cacheFaultsOf, FaultBoard, isRefusalKind, isUsageTrouble } from './faults.ts'
import type { Fault } from './faults.ts'
import { gemini } from './gemini.ts'
import { exchange } from './google-token.ts'
import { openai } from './openai.ts'
import { SpillOver } from './spill.ts'
import { memoryStore } from './store.ts'
import type { LabStore } from './store.ts'
import { MAX_BODY_CHARS, Transcript } from './transcript.ts'
import type { TranscriptRow } from './transcript.ts'
import { toldUsage } from './usage-faults.ts'
import { retold } from './usage-faults.ts'
import { vertex } from './vertex.ts'

export type LabOptions = {
  /** The real time (epoch ms). */
  now: () => number
  /** A real pause. */
  sleep: (ms: number) => Promise<void>
  /** 0 to 1, for faults with a probability. Default: always 0, so that such a fault always hits. */
  random?: () => number
  /** `off`: answers at once. Default `on`. */
  latency?: 'on' | 'off'
  /** Where state survives. Default: in memory. */
  store?: LabStore
  /** A clock given from outside; it wins over a stored one. */
  clock?: ClockState
  /** For rules that count by a vocabulary: its tokens of a text. Default: no rule may. */
  vocabulary?: Vocabulary
  /** How engines are started, where it differs from their defaults. */
  engines?: Partial<Record<EngineName, Partial<EngineSettings>>>
}

const DIALECTS: Record<string, Dialect> = {
  anthropic,
  openai,
  gemini,
  vertex,
  bedrock,
  ...Object.fromEntries(ENGINES.map((engine) => [engine, engineDialect(engine)])),
}
const ACCOUNT_ROW = 'service-account:'
const SWEEP_EVERY = 500
const DEFAULT_TIMEOUT_MS = 600_000
const DEFAULT_SLOW_MS = 5000
const DEFAULT_RETRY_MS = 1000
const DEFAULT_FACTOR = 2

/** The simulated providers with their shared state: caches, faults, transcript and clock. */
export class Lab {
  readonly clock: LabClock
  readonly faults: FaultBoard
  readonly counting: CountingRules
  readonly transcript = new Transcript()
  readonly cache = new PrefixCache({ track: true })
  readonly handles = new Map<string, CachedContent>()
  readonly engines = new Engines()
  /** Public keys of Google's service accounts, by address. */
  readonly #serviceAccounts = new Map<string, string>()
  readonly #spill = new SpillOver()
  readonly #prints = new Fingerprints()
  readonly #store: LabStore
  #latency: boolean
  #seq = 0

  constructor(options: LabOptions) {
    this.#store = options.store ?? memoryStore()
    this.#latency = options.latency !== 'off'
    const stored = this.#settings().get('clock')
    const clockState = options.clock ?? (stored === undefined ? undefined : (JSON.parse(stored) as ClockState))
    this.clock = new LabClock({ now: options.now, sleep: options.sleep }, clockState)
    this.faults = new FaultBoard(options.random ?? (() => 0))
    this.counting = new CountingRules(options.vocabulary)
    for (const engine of ENGINES) this.engines.configure(engine, options.engines?.[engine] ?? {})
    this.#load()
  }

  /** Answers a provider's route or a control route. */
  async fetch(request: Request): Promise<Response> {
    const url = new URL(request.url)
    const [, mount = '', ...rest] = url.pathname.split('/')
    if (mount === '_lab') return control(this, request, url)
    const dialect = DIALECTS[mount]
    if (dialect === undefined) return jsonResponse(404, { error: 'The lab has no such route.' })
    const at = this.clock.now()
    const bodyText = new TextDecoder().decode(await request.arrayBuffer()) // `text()` complains about forms
    this.#seq += 1
    const call: Call = {
      provider: dialect.provider,
      method: request.method,
      path: rest.join('/'),
      query: url.searchParams,
      headers: request.headers,
      bodyText,
      at,
      seq: this.#seq,
    }
    if (mount === 'vertex' && call.path === 'token') return this.#giveToken(call)
    return this.#serve(dialect, call)
  }

  async #giveToken(call: Call): Promise<Response> {
    const row = this.#open(call)
    try {
      const token = await exchange(call.bodyText, this.#serviceAccounts, call.at, call.seq)
      this.#finish(row, 200)
      return jsonResponse(200, token)
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      this.#finish(row, error.status)
      return jsonResponse(error.status, error.body, error.headers)
    }
  }

  /** From here on assertions that the key signed are exchanged. `publicKey`: SPKI in PEM. */
  addServiceAccount(email: string, publicKey: string): void {
    this.#serviceAccounts.set(email, publicKey)
    this.#store.put('setting', [[`${ACCOUNT_ROW}${email}`, publicKey]])
  }

  async #serve(dialect: Dialect, call: Call): Promise<Response> {
    const row = this.#open(call)
    try {
      const opened = dialect.open(call)
      row.model = opened.model
      row.key_fingerprint = opened.account
      const faults = this.faults.take(call, opened.model)
      if (faults.length > 0) this.saveFaults()
      row.faults = faults.map((fault) => fault.kind)
      return await this.#answer(dialect, call, opened, faults, row)
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      this.#finish(row, error.status)
      return jsonResponse(error.status, error.body, error.headers)
    }
  }

  async #answer(
    dialect: Dialect,
    call: Call,
    opened: Opened,
    faults: readonly Fault[],
    row: TranscriptRow,
  ): Promise<Response> {
    for (const fault of faults) {
      if (isRefusalKind(fault.kind) && !isCharged(fault)) {
        const retryAfterMs = fault.retry_after_ms ?? DEFAULT_RETRY_MS
        throw dialect.refuse(fault.kind, { retryAfterMs, status: fault.status }, call)
      }
      if (fault.kind === 'html') {
        this.#finish(row, fault.status ?? 502)
        return htmlPage(fault)
      }
      if (fault.kind === 'evict') this.#evict(call, opened)
      if (fault.kind === 'pressure' && isEngine(call.provider)) {
        this.engines.press(call.provider, opened.model, fault.prompts ?? 2, fault.tokens ?? 1000, call.at)
      }
    }
    const timeout = faults.find((fault) => fault.kind === 'timeout')
    if (timeout !== undefined && timeout.charged !== true) return this.#silence(timeout, row)
    const times = faults.find((fault) => fault.kind === 'overbilled')
    const counted = { ...opened, provider: call.provider }
    const answer = this.counting.during(counted, times === undefined ? 1 : (times.factor ?? DEFAULT_FACTOR), () =>
      dialect.answer(call, opened, this.#world(faults)),
    )
    row.usage = answer.usage
    row.answer_begun_at = answer.begunAt
    if (faults.some(({ kind }) => isUsageTrouble(kind))) row.told = toldUsage(answer.usage, faults)
    const touched = this.#saveCache(call.at)
    if (touched.length > 0) row.entries = touched
    if (timeout !== undefined) return this.#silence(timeout, row)
    const failed = faults.find(isCharged)
    if (failed !== undefined) {
      const { status, body, headers } = dialect.refuse('server_error', { retryAfterMs: 0, status: failed.status }, call)
      const usage = {
        [call.provider === 'gemini' || call.provider === 'vertex' ? 'usageMetadata' : 'usage']: answer.usage,
      }
      row.done_despite = true
      this.#finish(row, status)
      return jsonResponse(status, retold({ ...(body as object), ...usage }, faults), headers)
    }
    let ended = false
    const finish = (): void => {
      if (!ended) this.#finish(row, 200)
      ended = true
    }
    return deliver(
      answer,
      faults,
      this.clock,
      () => dialect.streamError(call),
      finish,
      () => {
        if (!ended) row.client_left = true
        finish()
      },
    )
  }

  /** Says nothing for a long time, then what a gateway says. */
  async #silence(fault: Fault, row: TranscriptRow): Promise<Response> {
    await this.clock.sleep(fault.delay_ms ?? DEFAULT_TIMEOUT_MS)
    this.#finish(row, 504)
    return new Response('upstream request timeout', { status: 504, headers: { 'content-type': 'text/plain' } })
  }

  #world(faults: readonly Fault[]): World {
    const slow = faults.find((fault) => fault.kind === 'slow_first_token')
    const slowMs = slow === undefined ? 0 : (slow.delay_ms ?? DEFAULT_SLOW_MS)
    return {
      cache: this.cache,
      handles: this.handles,
      saveHandle: (id) => this.saveHandle(id),
      engines: this.engines,
      machine: (route, now) => this.#spill.machine(route, now),
      // Invented, but of the right shape: reading a prompt costs time per token, a cached token nearly none.
      firstTokenMs: (read, total) => slowMs + (this.#latency ? Math.round(400 + (total - read) / 20 + read / 400) : 0),
      readingMs: (ms) => slowMs + (this.#latency ? Math.round(ms) : 0),
      writingMs: (tokens) => (this.#latency ? tokens * 10 : 0),
      faults: cacheFaultsOf(faults),
      prints: this.#prints,
    }
  }

  #evict(call: Call, opened: Opened): void {
    if (isEngine(call.provider)) return this.engines.clear(call.provider)
    const start = `${call.provider}/`
    const owner = `/${opened.account}/`
    this.cache.evict((key) => key.startsWith(start) && key.includes(owner))
    for (const [id, handle] of this.handles) {
      if (handle.account !== opened.account) continue
      this.handles.delete(id)
      this.saveHandle(id)
    }
    this.#saveCache(call.at)
  }

  #open(call: Call): TranscriptRow {
    const row: TranscriptRow = {
      seq: call.seq,
      at: call.at,
      provider: call.provider,
      method: call.method,
      path: call.path,
      status: null,
      model: null,
      body: call.bodyText.slice(0, MAX_BODY_CHARS),
      body_chars: call.bodyText.length,
      key_fingerprint: null,
      usage: null,
      faults: [],
      started_at: call.at,
      answer_begun_at: null,
      finished_at: null,
    }
    const tag = call.headers.get('x-lab-tag')
    if (tag !== null) row.tag = tag
    const dropped = this.transcript.add(row)
    if (dropped.length > 0)
      this.#store.remove(
        'transcript',
        dropped.map((old) => String(old.seq)),
      )
    this.#store.put('transcript', [[String(row.seq), JSON.stringify(row)]])
    return row
  }

  #finish(row: TranscriptRow, status: number): void {
    row.status = status
    row.finished_at = this.clock.now()
    this.#store.put('transcript', [[String(row.seq), JSON.stringify(row)]])
  }

  /** Returns the hashes of the entries that were written or renewed since the last time. */
  #saveCache(now: number): string[] {
    if (this.#seq % SWEEP_EVERY === 0) this.cache.sweep(now)
    const changes = this.cache.takeChanges()
    const kept: [string, string][] = []
    const gone: string[] = []
    for (const [key, entry] of changes) {
      if (entry === undefined) gone.push(key)
      else kept.push([key, JSON.stringify(entry)])
    }
    if (kept.length > 0) this.#store.put('entry', kept)
    if (gone.length > 0) this.#store.remove('entry', gone)
    return kept.map(([key]) => key.slice(key.lastIndexOf('/') + 1))
  }

  saveHandle(id: string): void {
    const handle = this.handles.get(id)
    if (handle === undefined) this.#store.remove('handle', [id])
    else this.#store.put('handle', [[id, JSON.stringify(handle)]])
  }

  saveFaults(): void {
    this.#store.put('fault', [['all', JSON.stringify(this.faults.list())]])
  }

  saveCounting(): void {
    this.#store.put('setting', [['counting', JSON.stringify(this.counting.list())]])
  }

  saveClock(): void {
    this.#store.put('setting', [['clock', JSON.stringify(this.clock.state)]])
  }

  clearTranscript(): void {
    const rows = this.transcript.clear()
    this.#store.remove(
      'transcript',
      rows.map((row) => String(row.seq)),
    )
    this.#saveSeq()
  }

  /** Ids are made from it, so it goes on when the transcript is gone. */
  #saveSeq(): void {
    this.#store.put('setting', [['seq', String(this.#seq)]])
  }

  #settings(): Map<string, string> {
    return new Map(this.#store.load('setting'))
  }

  /** Forgets everything but the clock. */
  reset(): void {
    this.cache.evict()
    this.cache.limit(null)
    this.cache.takeChanges()
    this.handles.clear()
    this.engines.reset()
    this.#serviceAccounts.clear()
    this.faults.clear()
    this.counting.clear()
    this.transcript.clear()
    this.#spill.clear()
    this.#prints.clear()
    this.#store.clear()
    this.saveClock()
    this.#saveSeq()
  }

  #load(): void {
    for (const [key, json] of this.#store.load('entry')) this.cache.restore(key, JSON.parse(json) as CacheEntry)
    for (const [id, json] of this.#store.load('handle')) this.handles.set(id, JSON.parse(json) as CachedContent)
    for (const [, json] of this.#store.load('fault')) this.faults.restore(JSON.parse(json) as Fault[])
    for (const [key, text] of this.#settings()) {
      if (key.startsWith(ACCOUNT_ROW)) this.#serviceAccounts.set(key.slice(ACCOUNT_ROW.length), text)
    }
    this.counting.restore(JSON.parse(this.#settings().get('counting') ?? '[]') as CountingRule[])
    const rows = this.#store.load('transcript').map(([, json]) => JSON.parse(json) as TranscriptRow)
    rows.sort((a, b) => a.seq - b.seq)
    for (const row of rows) this.transcript.add(row)
    this.#seq = Math.max(rows.at(-1)?.seq ?? 0, Number(this.#settings().get('seq') ?? 0))
  }
}

/** A failure of the server after it has done the work, and counted it. */
function isCharged({ kind, charged }: Fault): boolean {
  return kind === 'server_error' && charged === true
}
