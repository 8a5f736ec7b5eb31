import { evictDurableObject, runDurableObjectAlarm } from 'cloudflare:test'
import { vi } from 'vitest'
import { ADMIN, bindings, call } from '../../http/support.ts'
import type { Answer } from '../../http/support.ts'
import { createLab } from '../../lab/index.ts'
import type { Lab, TranscriptRow } from '../../lab/index.ts'
import { o200kTokens } from '../../lab/vocabulary.ts'
import { tick, worker } from '../../support/worker.ts'
import { Accountant } from './accountant.ts'
import type { Booked } from './accountant.ts'
import { MODELS } from './bodies.ts'
import { asOverride, BASE, times } from './prices.ts'

/** Far ahead of the machine, so that no alarm of an object comes by itself: the script calls them. */
const START_AT = Date.UTC(2030, 2, 5, 20, 30)
/** Longest time that a step waits for a call, in real time. What takes longer goes on beside the next steps. */
const STEP_MS = 1_500
const CHECK_MS = 3

/** The price that the deployment has: a multiple of the base. */
let inForce: number | null = null

export type Counting = 'usual' | 'bound' | 'hostile'

/** What the cards state, and docs/providers.md prints, for chat templates; a test holds this table to that page. */
export const ADDED = {
  anthropic: { request: 64, message: 16, tool: 32, any_tool: 1_024 },
  gemini: { request: 64, message: 16, tool: 32, any_tool: 512 },
  openai: { request: 128, message: 8, tool: 24, any_tool: 64 },
} as const
const LOW = { share: 0.02, tokens: 64 }

type Sendable = { sendBatch: (messages: Iterable<{ body: unknown }>) => Promise<void> }

/** One account in the real runtime. The script moves the clock, calls the alarms and delivers the queue's messages. */
export class LawWorld {
  readonly lab: Lab
  readonly accountant: Accountant
  /** Messages on the queue, those that arrived among them: each may arrive again. */
  readonly messages: unknown[] = []
  account = ''
  key = ''
  factor = 1
  isHeld = false
  /** How many answers get lost on their way. */
  losing = 0
  now = START_AT
  readonly #pending = new Set<Promise<unknown>>()
  readonly #known = new Set<number>()

  constructor(counting: Counting) {
    this.lab = createLab({
      now: () => this.now,
      sleep: () => Promise.resolve(),
      latency: 'off',
      vocabulary: o200kTokens,
    })
    this.accountant = new Accountant(() => times(BASE, this.factor))
    if (counting !== 'usual') {
      const byte = { per: 'byte', free_count_low: LOW } as const
      this.lab.counting.add({ provider: 'anthropic', ...byte, added: ADDED.anthropic })
      this.lab.counting.add({ provider: 'bedrock', ...byte, added: ADDED.anthropic })
      this.lab.counting.add({ provider: 'gemini', ...byte, added: ADDED.gemini })
      this.lab.counting.add({ provider: 'openai', per: 'vocabulary', added: ADDED.openai })
    }
  }

  async begin(id: string, budgetUsd: number | null): Promise<void> {
    vi.useFakeTimers({ toFake: ['Date'], now: this.now })
    vi.spyOn(globalThis, 'fetch').mockImplementation((input, init) => this.#answer(new Request(input, init)))
    const queue = Object.getPrototypeOf(bindings.PROBES) as Sendable
    vi.spyOn(queue, 'sendBatch').mockImplementation(async (batch) => {
      for (const { body } of batch) this.messages.push(body)
    })
    this.account = id
    await this.admin('POST', '/accounts', { id, budget_usd_per_day: budgetUsd, allowed_secrets: [] })
    const made = await this.admin('POST', `/accounts/${id}/keys`, {})
    this.key = made.json['key'] as string
    await this.price(1)
  }

  /** Leaves the deployment as it was: nothing is under way, no switch is on. */
  async leave(): Promise<void> {
    this.isHeld = false
    await Promise.race([Promise.all(this.#pending), pause(STEP_MS)])
    // The account stays, and the cron would wake it.
    await call('PATCH', `/accounts/${this.account}`, { kill_switch: true }, { key: ADMIN })
    await call('POST', '/kill-switch', { on: false }, { key: ADMIN })
    await this.tellEveryone()
    vi.restoreAllMocks()
    vi.useRealTimers()
  }

  async admin(method: string, path: string, body?: unknown): Promise<Answer> {
    const answer = await call(method, path, body, { key: ADMIN })
    if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${answer.text}`)
    return answer
  }

  ask(method: string, path: string, body?: unknown): Promise<Answer> {
    return call(method, path, body, { key: this.key })
  }

  /** Sets prices at all providers. Calls of now on cost so many times the base. */
  async price(factor: number): Promise<void> {
    if (inForce !== factor) {
      const rates = times(BASE, factor)
      for (const { place, model, writes } of MODELS)
        await this.admin('PATCH', `/providers/${place}`, asOverride(rates, [model], writes))
    }
    inForce = factor
    this.factor = factor
    await this.tellEveryone()
  }

  /** Lets the Directory tell every account of the last change. */
  async tellEveryone(): Promise<void> {
    const directory = bindings.DIRECTORY.getByName('directory')
    while ((await directory.rollOut()).pending > 0) await runDurableObjectAlarm(directory)
  }

  async #answer(request: Request): Promise<Response> {
    const url = new URL(request.url)
    if (url.host !== 'lab.test') return new Response('no network in tests', { status: 599 })
    const body = await request.text()
    const { method, headers } = request
    const sent = new Request(url, { method, headers, ...(body === '' ? {} : { body }) })
    const answer = await this.lab.fetch(sent)
    const row = this.#rowOf(method, body)
    if (row === null) return answer
    const isLost = row.usage !== null && this.losing > 0
    if (isLost) this.losing -= 1
    const isWrong = row.faults.includes('wrong_usage') || row.faults.includes('missing_usage')
    // No vendor counts a managed cache that it failed to name.
    const isNameless = row.done_despite === true && row.path.includes('cachedContents')
    this.accountant.served(row, isLost || isWrong || isNameless ? 'worst' : 'exact')
    // A loop, because a promise that another request settles would not wake this one.
    while (this.isHeld) await new Promise((resolve) => setTimeout(resolve, CHECK_MS))
    if (isLost) throw new Error('Network connection lost.')
    return answer
  }

  /** The row of a call that the lab has served. Calls with one body at once are alike. */
  #rowOf(method: string, body: string): TranscriptRow | null {
    const rows = this.lab.transcript.list()
    const row = rows.find((one) => one.method === method && one.body === body && !this.#known.has(one.seq))
    if (row === undefined) return null
    this.#known.add(row.seq)
    return row
  }

  /** Begins something, and waits for its end as long as a step lasts. */
  async run<Result>(work: Promise<Result>): Promise<Result | null> {
    const noted = work.catch((thrown: unknown) => {
      this.accountant.broken.push(`a call threw: ${String(thrown)}`)
      return null
    })
    const done = noted.finally(() => this.#pending.delete(done))
    this.#pending.add(done)
    if (this.isHeld) {
      // Everything that can happen without an answer happens.
      await Promise.race([done, pause(60)])
      return null
    }
    return Promise.race([done, pause(STEP_MS)])
  }

  get isQuiet(): boolean {
    return this.#pending.size === 0
  }

  async release(): Promise<void> {
    this.isHeld = false
    await Promise.race([Promise.all(this.#pending), pause(STEP_MS)])
  }

  later(ms: number): void {
    this.now += ms
    vi.setSystemTime(this.now)
    if (ms > 5_000) this.accountant.disturbed()
  }

  registry() {
    return bindings.REGISTRY.getByName(this.account) as unknown as DurableObjectStub<undefined>
  }

  bot(id: string) {
    return bindings.BOT.getByName(`${this.account}/${id}`) as unknown as DurableObjectStub<undefined>
  }

  alarm(): Promise<boolean | null> {
    return this.run(runDurableObjectAlarm(this.registry()))
  }

  botAlarm(id: string): Promise<boolean | null> {
    return this.run(runDurableObjectAlarm(this.bot(id)))
  }

  cron(): Promise<void | null> {
    return this.run(tick())
  }

  deliver(message: unknown): Promise<unknown> {
    const body = { id: crypto.randomUUID(), timestamp: new Date(this.now), attempts: 1, body: message }
    return this.run(worker.queue('pilotlight-probes', [body]))
  }

  async evict(stub: DurableObjectStub<undefined>): Promise<void> {
    // One that was evicted before, and not used since, is not running.
    await this.run(evictDurableObject(stub).catch(() => {}))
  }

  /** The books, by UTC day. */
  async books(): Promise<Booked[]> {
    const day = (at: number): string => new Date(at).toISOString().slice(0, 10)
    const path = `/ledger?group=day&from=${day(START_AT)}&to=${day(this.now)}`
    const { json, status, text } = await this.ask('GET', path)
    if (status !== 200) throw new Error(`${path}: ${text}`)
    return (json['data'] as { day: string; cost_usd: number; bot_cost_usd: number }[]).map((one) => ({
      day: one.day,
      nanos: Math.round((one.cost_usd + one.bot_cost_usd) * 1e9),
    }))
  }
}

function pause(ms: number): Promise<null> {
  return new Promise((resolve) => setTimeout(() => resolve(null), ms))
}
