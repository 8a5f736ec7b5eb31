import { existsSync, readFileSync } from 'node:fs'
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { processes } from '../../scripts/start/process-list.ts'
import { caller, freePort, runWorker } from '../../test/e2e/running.ts'
import type { Running } from '../../test/e2e/running.ts'
import { runLab } from '../../test/lab/running.ts'
import type { RunningLab } from '../../test/lab/running.ts'
import type { FaultRequest } from '../../test/lab/faults.ts'
import type { TranscriptRow } from '../../test/lab/transcript.ts'
import { LAB_PROVIDERS } from './bodies.ts'
import { folderBytes } from './folders.ts'
import type { HeldEntry } from './holdings.ts'

const ADMIN_KEY = 'pilotlight-admin'
const SECRETS = ['ANTHROPIC_API_KEY', 'OPENAI_API_KEY', 'GEMINI_API_KEY', 'AWS_BEARER_TOKEN_BEDROCK']
/** A crowded machine takes long to start a runtime. */
const READY_MS = 120_000
/** Longest that one request of the storm waits for the product. */
const ANSWER_MS = 60_000
/** Shares of the queue's messages. */
const WEATHER = { lost: 0.02, twice: 0.05 }

interface Page<Row, Totals> {
  data: Row[]
  next_cursor: string | null
  totals?: Totals
}

/** One live handle, as `GET /_lab/caches` shows it. */
export interface HeldHandle {
  name: string
  tokens: number
  expires_at: number
}

export interface Account {
  id: string
  key: string
}

/** A span of the lab's clock in which a call may have been cut off. */
export interface Disturbance {
  fromAt: number
  untilAt: number
  /** An object that ended cut off calls of its own alone. */
  of: 'tree' | 'object'
}

/** The lab, and the product in processes of its own that can be killed. */
export class StormWorld {
  readonly disturbances: Disturbance[] = []
  /** Every jump of the product's clock against the lab's: how much, and since when (the lab's clock). */
  readonly jumps: { at: number; byMs: number; aheadMs: number }[] = []
  /** Since when the product is up, in the lab's clock. */
  upSince = 0
  #bundle = 1
  #aheadMs = 0
  #running: Running | null = null
  #badWeather = true
  #folder = ''
  #port = 0
  /** What its processes said before the one that runs. */
  #said = ''
  readonly #lab: RunningLab
  readonly #clock: { realAt: number; virtualAt: number; rate: number }

  private constructor(lab: RunningLab, clock: { realAt: number; virtualAt: number; rate: number }) {
    this.#lab = lab
    this.#clock = clock
  }

  static async start(rate: number, virtualAt: number): Promise<StormWorld> {
    const clock = { realAt: Date.now(), virtualAt, rate }
    const lab = await runLab({
      vars: {
        CLOCK_REAL_ANCHOR_AT: String(clock.realAt),
        CLOCK_VIRTUAL_ANCHOR_AT: String(clock.virtualAt),
        CLOCK_RATE: String(rate),
      },
    })
    const world = new StormWorld(lab, clock)
    world.#folder = await mkdtemp(join(tmpdir(), 'pilotlight-storm-'))
    world.#port = await freePort()
    await world.#startProduct()
    return world
  }

  async stop(): Promise<void> {
    await this.#running?.kill()
    await this.#lab.stop()
    await rm(this.#folder, { recursive: true, force: true })
  }

  /** The lab's clock. */
  now(): number {
    const { realAt, virtualAt, rate } = this.#clock
    return virtualAt + rate * (Date.now() - realAt)
  }

  /** How far the product's clock is before the lab's. */
  get aheadMs(): number {
    return this.#aheadMs
  }

  realMs(durationMs: number): number {
    return durationMs / this.#clock.rate
  }

  async #startProduct(): Promise<void> {
    const vars = {
      ENVIRONMENT: 'development',
      ADMIN_KEY,
      DEV_ACCOUNT_KEY: 'pilotlight-dev',
      LAB_URL: this.#lab.url,
      STORM_URL: this.#base(),
      LAB_PROVIDERS: LAB_PROVIDERS.join(','),
      CLOCK_REAL_ANCHOR_AT: String(this.#clock.realAt),
      CLOCK_VIRTUAL_ANCHOR_AT: String(this.#clock.virtualAt + this.#aheadMs),
      CLOCK_RATE: String(this.#clock.rate),
    }
    this.#running = await runWorker({
      persist: join(this.#folder, 'state'),
      port: this.#port,
      vars,
      logs: join(this.#folder, 'logs'),
      main: 'bench/storm/worker.ts',
      defines: { STORM_BUNDLE: JSON.stringify(String(this.#bundle)) },
      readyMs: READY_MS,
    })
    await this.#setWeather()
    this.upSince = this.now()
  }

  /** SIGKILL of the whole tree, and a start: with another bundle, or with the product's clock moved. */
  async restart(change: { bundle?: true; jumpMs?: number } = {}): Promise<void> {
    const fromAt = this.now()
    await this.#running?.kill()
    this.#said += this.#running?.said() ?? ''
    if (change.bundle === true) this.#bundle += 1
    if (change.jumpMs !== undefined) {
      this.#aheadMs += change.jumpMs
      this.jumps.push({ at: fromAt, byMs: change.jumpMs, aheadMs: this.#aheadMs })
    }
    await this.#startProduct()
    this.disturbances.push({ fromAt, untilAt: this.now(), of: 'tree' })
  }

  /** Ends an object in the middle of its work; false: it did not end. */
  async end(object: string, name: string): Promise<boolean> {
    const fromAt = this.now()
    const path = `/storm/end?object=${object}&name=${encodeURIComponent(name)}`
    const answer = await fetch(this.#base() + path, { signal: AbortSignal.timeout(ANSWER_MS) })
    await answer.arrayBuffer()
    if (!answer.ok) return false
    this.disturbances.push({ fromAt, untilAt: this.now(), of: 'object' })
    return true
  }

  async calm(): Promise<void> {
    this.#badWeather = false
    await this.#setWeather()
    await fetch(`${this.#lab.url}/_lab/faults`, { method: 'DELETE' })
  }

  async #setWeather(): Promise<void> {
    const { lost, twice } = this.#badWeather ? WEATHER : { lost: 0, twice: 0 }
    await this.#control(`weather?lost=${lost}&twice=${twice}`)
  }

  /** What the queue did to messages in this life of the product, and which bundle runs. */
  async counts(): Promise<{ bundle: string; counts: { messages: number; lost: number; twice: number } }> {
    const { lost, twice } = this.#badWeather ? WEATHER : { lost: 0, twice: 0 }
    return (await this.#control(`weather?lost=${lost}&twice=${twice}`)) as Awaited<ReturnType<StormWorld['counts']>>
  }

  async #control(path: string): Promise<unknown> {
    const answer = await fetch(`${this.#base()}/storm/${path}`, { signal: AbortSignal.timeout(ANSWER_MS) })
    if (!answer.ok) throw new Error(`the storm's control answered ${answer.status}`)
    return answer.json()
  }

  #base(): string {
    return `http://127.0.0.1:${this.#port}`
  }

  /** A client of one account, or the administrator's. */
  client(key = ADMIN_KEY, headers: Record<string, string> = {}): ReturnType<typeof caller> {
    return caller(this.#base(), key, headers)
  }

  /** A whole list. `totals` are those of its first page. */
  async pages<Row, Totals = never>(
    call: ReturnType<StormWorld['client']>,
    path: string,
  ): Promise<{ data: Row[]; totals: Totals | undefined }> {
    const data: Row[] = []
    let totals: Totals | undefined
    for (let cursor: string | null = ''; cursor !== null;) {
      const page: string = cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`
      const { status, body } = await call<Page<Row, Totals>>('GET', path + page)
      if (status !== 200) throw new Error(`GET ${path} answered ${status}: ${JSON.stringify(body)}`)
      data.push(...body.data)
      totals ??= body.totals
      cursor = body.next_cursor
    }
    return { data, totals }
  }

  /** An instant of the product's clock in the lab's. An instant that a clock set back had twice is taken as its last. */
  labTime(at: number): number {
    const spans = [{ at: -Infinity, aheadMs: 0 }, ...this.jumps]
    for (const [index, span] of [...spans.entries()].toReversed()) {
      const labAt = at - span.aheadMs
      if (labAt >= span.at && labAt < (spans[index + 1]?.at ?? Infinity)) return labAt
    }
    return at - (spans.at(-1)?.aheadMs ?? 0)
  }

  async account(id: string): Promise<Account> {
    const admin = this.client()
    const made = await admin('POST', '/accounts', { id, allowed_secrets: SECRETS })
    if (made.status >= 300) throw new Error(`POST /accounts answered ${made.status}: ${JSON.stringify(made.body)}`)
    const { body } = await admin<{ key: string }>('POST', `/accounts/${id}/keys`)
    return { id, key: body.key }
  }

  /** Calls the Worker's cron handler; false: it did not answer well. */
  async tick(): Promise<boolean> {
    const url = `${this.#base()}/cdn-cgi/local/scheduled?cron=*+*+*+*+*`
    try {
      const answer = await fetch(url, { signal: AbortSignal.timeout(ANSWER_MS) })
      await answer.arrayBuffer()
      return answer.ok
    } catch {
      return false // the product is down, or an object ended in the middle
    }
  }

  async fault(fault: FaultRequest): Promise<void> {
    const answer = await fetch(`${this.#lab.url}/_lab/faults`, { method: 'POST', body: JSON.stringify(fault) })
    if (!answer.ok) throw new Error(`the lab takes no fault: ${await answer.text()}`)
  }

  async transcript(since: number, limit: number): Promise<TranscriptRow[]> {
    const answer = await fetch(`${this.#lab.url}/_lab/transcript?since=${since}&limit=${limit}&chars=600`)
    return ((await answer.json()) as { data: TranscriptRow[] }).data
  }

  /** The whole body of one call. */
  async bodyOf(seq: number): Promise<string> {
    const answer = await fetch(`${this.#lab.url}/_lab/transcript?since=${seq - 1}&limit=1`)
    const [row] = ((await answer.json()) as { data: TranscriptRow[] }).data
    return row?.seq === seq ? row.body : ''
  }

  async held(): Promise<{ entries: HeldEntry[]; handles: HeldHandle[] }> {
    const answer = await fetch(`${this.#lab.url}/_lab/caches`)
    return (await answer.json()) as { entries: HeldEntry[]; handles: HeldHandle[] }
  }

  /** Megabytes of memory that the product's runtimes have in use, without the tools that started them. */
  memoryMb(): number | null {
    const group = this.#running?.group
    if (group === undefined || !existsSync('/proc/self/statm')) return null
    let pages = 0
    for (const one of processes()) {
      if (one.group !== group || !/workerd/.test(one.command.split(' ')[0] ?? '')) continue
      try {
        pages += Number(readFileSync(`/proc/${one.pid}/statm`, 'utf8').split(' ')[1])
      } catch {
        continue // it ended meanwhile
      }
    }
    return (pages * 4096) / 1e6
  }

  /** Bytes of each folder of the product's state and logs. */
  folders(): Promise<Record<string, number>> {
    return folderBytes(this.#folder)
  }

  /** Bytes of the product's databases, without the logs in front of them, which are folded in at 4 MB. */
  async storageBytes(): Promise<number> {
    const folders = await folderBytes(join(this.#folder, 'state'), (name) => name.endsWith('.sqlite'))
    return Object.values(folders).reduce((sum, bytes) => sum + bytes, 0)
  }

  /** All that the product's processes wrote until now: their outputs, and the files of their logs. */
  async said(): Promise<string> {
    const folder = join(this.#folder, 'logs')
    let text = this.#said + (this.#running?.said() ?? '')
    if (!existsSync(folder)) return text
    for (const file of await readdir(folder, { recursive: true, withFileTypes: true }))
      if (file.isFile()) text += await readFile(join(file.parentPath, file.name), 'utf8')
    return text
  }
}
