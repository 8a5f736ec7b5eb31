/** A running session: registers the samples, ticks cron, sends real requests and shows the table. */
import { setTimeout as pause } from 'node:timers/promises'
import { Api, type Prefix } from './api.ts'
import { keepClock } from './clock.ts'
import { Cron } from './cron.ts'
import { firstUse } from './first-use.ts'
import type { Options } from './options.ts'
import { loadSamples, missing, quote, register } from './samples.ts'
import type { Screen } from './screen.ts'
import type { Setup } from './setup.ts'
import { clockTime, fit, rowsOf, tableLines } from './table.ts'
import { Traffic, type Visit } from './traffic.ts'
import { MINUTE_MS } from '../../src/core/time/time.ts'

const refreshMs = 1000

export class Session {
  readonly #setup: Setup
  readonly #options: Options
  readonly #screen: Screen
  readonly #over = new AbortController()
  readonly #signal: AbortSignal
  readonly #api: Api
  readonly #cron: Cron
  readonly #samples = loadSamples()
  readonly #visits: Visit[] = []
  readonly #problems: string[] = []
  #prefixes: Prefix[] = []
  #startedAt = 0

  constructor(setup: Setup, options: Options, screen: Screen, stop: AbortSignal) {
    this.#setup = setup
    this.#options = options
    this.#screen = screen
    this.#signal = AbortSignal.any([stop, this.#over.signal])
    this.#api = new Api(setup.base, setup.keys.accountKey)
    this.#cron = new Cron({ base: setup.base, now: setup.now, rate: setup.speed, signal: this.#signal })
  }

  /** Runs until the time of `--for`. Without one only the stop signal ends it, with an AbortError. */
  async run(): Promise<void> {
    this.#startedAt = this.#setup.now()
    this.#greet()
    const registered = await this.#api.prefixes()
    if (registered.length > 0) this.#screen.say(`Continuing with ${plural(registered.length)} from before.`)
    await Promise.race([Promise.all([this.#register(registered), this.#watch()]), this.#cron.run()])
  }

  end(): void {
    this.#over.abort()
  }

  /** Failures that did not end the run. */
  get problems(): readonly string[] {
    return this.#problems
  }

  summary(): Record<string, unknown> {
    return {
      virtual_minutes: this.#startedAt === 0 ? 0 : Math.round((this.#setup.now() - this.#startedAt) / MINUTE_MS),
      speed: this.#setup.speed,
      real_providers: this.#setup.keys.real,
      cron_ticks: this.#cron.ticks,
      cron_ticks_missed: this.#cron.missed,
      problems: this.#problems,
      prefixes: this.#prefixes,
      real_requests: this.#visits.map(({ prefixId, name, cachedTokens, totalTokens }) => ({
        prefix_id: prefixId,
        name,
        cached_input_tokens: cachedTokens,
        input_tokens: totalTokens,
      })),
    }
  }

  #greet(): void {
    const { keys, labUrl, pretend, speed } = this.#setup
    const { paint, say } = this.#screen
    say('')
    say(
      `  ${paint('bold', 'Pilotlight')}  ${paint('cyan', `http://localhost:${this.#options.port}/#key=${keys.accountKey}`)}`,
    )
    if (keys.lab.length > 0) say(`  Lab         ${labUrl}, stands for ${keys.lab.join(', ')}`)
    if (!pretend) say(`  Real        ${keys.real.join(', ')}: nothing is sent there unless you ask for it`)
    say(
      `  Time        ${speed === 1 ? 'real time' : `${speed} × real time: an hour passes in ${Math.round(3600 / speed / 6) / 10} minutes`}`,
    )
    if (!pretend && this.#options.speed !== null)
      say('              (--speed is left aside: a real provider knows real time only)')
    const line = firstUse({ base: `http://localhost:${this.#options.port}`, ...keys })
    if (line !== null)
      say(`\n  A real request through the gateway, from this folder in another terminal:\n\n  ${line}\n`)
    say('  Ctrl-C stops everything.\n')
  }

  async #register(registered: Prefix[]): Promise<void> {
    const { pretend } = this.#setup
    const wanted = (this.#options.samples ?? pretend) ? missing(this.#samples, registered) : []
    if (!pretend) {
      for (const sample of wanted) this.#screen.say(`Price, before anything is sent: ${await quote(this.#api, sample)}`)
    }
    await Promise.all(
      wanted.map((sample) => this.#try(async () => this.#screen.say(await register(this.#api, sample)), sample.name)),
    )
  }

  async #watch(): Promise<void> {
    const { now, pretend, labUrl, clockFile, kept } = this.#setup
    const { forMs, samples } = this.#options
    const endsAt = forMs === null ? Infinity : this.#startedAt + forMs
    const traffic = new Traffic({
      api: this.#api,
      labUrl,
      labKey: 'lab',
      now,
      tell: (visit) => this.#tell(visit),
    })
    const names = new Set<string | null>(this.#samples.map(({ name }) => name))
    while (now() < endsAt) {
      await this.#try(async () => {
        this.#prefixes = await this.#api.prefixes()
      }, 'the list of prefixes')
      keepClock(clockFile, kept(false))
      this.#draw()
      if (pretend && samples !== false) {
        const visited = this.#prefixes.filter(({ name }) => names.has(name))
        await this.#try(() => traffic.visitDue(visited), 'a real request')
      }
      await pause(refreshMs, undefined, { signal: this.#signal })
    }
  }

  /** Does work whose failure does not end the run, because the Worker restarts whenever a source file is saved. */
  async #try(work: () => Promise<void>, what: string): Promise<void> {
    try {
      await work()
    } catch (error) {
      if (this.#signal.aborted) throw error
      const problem = `${what}: ${error instanceof Error ? error.message : String(error)}`
      if (this.#problems.at(-1) !== problem) this.#screen.say(`${this.#screen.paint('red', '✗')} ${problem}`)
      this.#problems.push(problem)
    }
  }

  #draw(): void {
    const { now, speed } = this.#setup
    const { paint, width, show } = this.#screen
    const at = now()
    const time = `${new Date(at).toISOString().slice(0, 10)} ${clockTime(at)} UTC${speed === 1 ? '' : `, ${speed} × real time`}`
    const missed = this.#cron.missed === 0 ? '' : `, ${this.#cron.missed} missed`
    const head = fit(`${time}, ${this.#cron.ticks} cron ticks${missed}`, width())
    show(['', paint('dim', head), ...tableLines(rowsOf(this.#prefixes, at), paint, width())], at)
  }

  #tell(visit: Visit): void {
    this.#visits.push(visit)
    const { now } = this.#setup
    this.#screen.say(
      `${clockTime(now())}  ${visit.name}: a real request read ${tokens(visit.cachedTokens)} of ${tokens(visit.totalTokens)} tokens from cache`,
    )
  }
}

function tokens(count: number | null): string {
  return count === null ? 'an unknown number' : count.toLocaleString('en')
}

function plural(count: number): string {
  return count === 1 ? '1 prefix' : `${count} prefixes`
}
