import { runInDurableObject } from 'cloudflare:test'
import type { Answer } from '../../http/support.ts'
import { bindings } from '../../http/support.ts'
import { subjectOf } from './accountant.ts'
import { bodyOf, MODELS, textOf, warmBody } from './bodies.ts'
import type { Model } from './bodies.ts'
import { LawWorld } from './world.ts'
import type { Counting } from './world.ts'

export const ACTS = [
  'warm',
  'warmAgain',
  'background',
  'pool',
  'crew',
  'remove',
  'change',
  'observe',
  'announce',
  'signal',
  'keep',
  'alarm',
  'cron',
  'deliver',
  'deliverAgain',
  'loseMessage',
  'wait',
  'midnight',
  'price',
  'accountBudget',
  'killSwitch',
  'globalSwitch',
  'evict',
  'hold',
  'release',
  'fault',
  'loseAnswer',
  'cache',
  'cacheAsk',
  'cacheChange',
  'cacheRemove',
  'bot',
  'message',
  'botAlarm',
  'botCancel',
  'botEvict',
] as const

/** What has to happen often, so that the others have an effect. */
export const OFTEN = [
  'warm',
  'warm',
  'warm',
  'warmAgain',
  'background',
  'pool',
  'crew',
  'cache',
  'message',
  'message',
  'keep',
  'keep',
  'keep',
  'keep',
  'keep',
  'deliver',
  'observe',
  'wait',
] as const

export interface Step {
  act: (typeof ACTS)[number]
  /** Choice among the candidates, and variant of the step; both in [0, 1). */
  which: number
  how: number
}

export interface Terms {
  counting: Counting
  /** Kind of the texts. */
  kind: number
  withTool: boolean
  /** Budgets of a day in US dollars: of a prefix, of the account, of a managed cache. */
  budget: number
  accountBudget: number | null
  cacheBudget: number | null
  botBudget: number
}

interface Keep {
  plan: (typeof PLANS)[number]
  budget_usd_per_day: number
  latency_value_usd: number
}

const PLANS = ['auto', 'always', 'off', { probes: 2 }] as const
const FACTORS = [1, 1.5, 2.5]
const WRONG = ['huge', 'negative', 'fraction', 'zeros'] as const
const MINUTE_MS = 60_000
const DAY_MS = 86_400_000
const BYTES = 20_000

function pick<Item>(items: readonly Item[], at: number): Item {
  const found = items[Math.floor(at * items.length)]
  if (found === undefined) throw new Error('nothing to pick from')
  return found
}

const nanosOf = (usd: number): number => Math.round(usd * 1e9)

/** Plays steps against one account, through its doors. */
export class LawRun {
  readonly world: LawWorld
  readonly #terms: Terms
  /** Registered prefixes, by the word of their contents and the model. */
  readonly #ids = new Map<string, string>()
  readonly #caches = new Map<string, string>()
  readonly #bots: string[] = []
  readonly #most = new Map<string, number | null>()
  #crews = 0
  /** What happened, a line for each step. */
  readonly story: string[] = []
  #said = ''
  /** Requests that a budget refused. */
  refused = 0
  /** Prefixes that tell of a call beyond the bound. */
  told = 0
  #heldFor = 0
  #killedFor = 0

  constructor(terms: Terms) {
    this.#terms = terms
    this.world = new LawWorld(terms.counting)
  }

  async begin(id: string): Promise<void> {
    const { accountBudget } = this.#terms
    await this.world.begin(id, accountBudget)
    this.#accountBudget(accountBudget)
    const models = [
      { name: 'first', provider: 'anthropic', model: 'claude-opus-5' },
      { name: 'second', provider: 'openai', model: 'gpt-5.6-sol' },
    ]
    await this.world.ask('PUT', '/gateways/desk', { models })
  }

  #accountBudget(usd: number | null): void {
    const nanos = usd === null ? null : nanosOf(usd)
    this.world.accountant.accountBudget(nanos)
    this.#remember('account', nanos)
  }

  #budget(subject: string, nanos: number | null): void {
    this.world.accountant.budget(subject, nanos)
    this.#remember(subject, nanos)
  }

  #remember(whose: string, nanos: number | null): void {
    const known = this.#most.get(whose)
    const most = nanos === null || known === null ? null : Math.max(nanos, known ?? 0)
    this.#most.set(whose, most)
  }

  async take({ act, which, how }: Step): Promise<void> {
    this.world.later(1)
    if (this.world.accountant.isKilled && (this.#killedFor += 1) > 5) {
      if (this.#switches.killSwitch) await this.#act('killSwitch', 0, 1)
      if (this.#switches.globalSwitch) await this.#act('globalSwitch', 0, 1)
      this.#killedFor = 0
    }
    const { bills } = this.world.accountant
    const before = bills.length
    this.#said = ''
    await this.#act(act, which, how)
    const sent = bills.slice(before).map(({ of, nanos, told, row }) => ` [${of} ${nanos} ${told} ${row.faults.join()}]`)
    this.story.push(`${new Date(this.world.now).toISOString().slice(8, 23)} ${act} ${how}${this.#said}${sent.join('')}`)
    if (this.world.isHeld) {
      this.#heldFor += 1
      if (this.#heldFor > 4) await this.world.release()
    } else this.#heldFor = 0
    if (!this.world.isQuiet || this.world.isHeld) return
    this.world.accountant.quiet()
    if (this.story.length % 10 === 0 && this.world.accountant.isPlain)
      this.world.accountant.audit(await this.world.books(), `after ${this.story.length} steps`)
  }

  async #ask(method: string, path: string, body?: unknown): Promise<Answer | null> {
    const answer = await this.world.run(this.world.ask(method, path, body))
    this.#said += ` ${method} ${path} ${answer?.status ?? 'held'}`
    if (answer?.status === 402) this.refused += 1
    return answer
  }

  #text(word: string): string {
    return textOf(word, this.#terms.kind, BYTES)
  }

  /** A plan, with one of three budgets. */
  #plan(which: number, how: number): Keep {
    const budget = this.#terms.budget * pick([1, 1, 1.7], (how * 10) % 1)
    return { plan: pick(PLANS, which), budget_usd_per_day: Math.round(budget * 1e4) / 1e4, latency_value_usd: 1 }
  }

  /** The budget that holds now, as the prefix itself says. */
  async #readBudget(subject: string, id: string): Promise<void> {
    const seen = await this.world.ask('GET', `/prefixes/${id}`)
    const keep = seen.json['keep_warm'] as { budget_usd_per_day: number } | undefined
    if (keep !== undefined) this.#budget(subject, nanosOf(keep.budget_usd_per_day))
  }

  async #warm(of: Model, word: string, keep: Keep, more: object = {}): Promise<void> {
    const subject = subjectOf(word, of.model)
    this.#budget(subject, nanosOf(keep.budget_usd_per_day))
    const body = warmBody(of, [this.#text(word)], this.#terms.withTool)
    const answer = await this.#ask('POST', '/warm', { ...body, keep_warm: keep, ...more })
    const error = answer?.json['error'] as { detail?: { prefix_id?: string } } | undefined
    const id = (answer?.json['id'] ?? answer?.json['prefix_id'] ?? error?.detail?.prefix_id) as string | undefined
    if (id !== undefined && id.startsWith('pfx_')) this.#ids.set(subject, id)
    const known = this.#ids.get(subject)
    if (known !== undefined) await this.#readBudget(subject, known)
  }

  #chosen(which: number): [subject: string, id: string] | null {
    const all = [...this.#ids]
    return all.length === 0 ? null : pick(all, which)
  }

  async #deliver(which: number): Promise<void> {
    const { messages } = this.world
    if (messages.length > 0) await this.world.deliver(pick(messages.slice(-4), which))
  }

  async #act(act: Step['act'], which: number, how: number): Promise<void> {
    const { world } = this
    const { accountant } = world
    const model = pick(MODELS, which)
    const word = `${model.place}-${how < 0.7 ? 'a' : 'b'}`
    const chosen = this.#chosen(which)
    switch (act) {
      case 'warm': {
        const isOpen = model.place === 'gemini' && how > 0.8
        return this.#warm(model, word, this.#plan(how, which), isOpen ? { cache: 'auto' } : {})
      }
      case 'background':
        return this.#warm(model, word, this.#plan(how, which), { background: true })
      case 'warmAgain':
        if (chosen !== null) await this.#ask('POST', `/prefixes/${chosen[1]}/warm`, { background: how > 0.7 })
        return
      case 'pool': {
        const keep = this.#plan(how, which)
        for (const of of ['claude-opus-5', 'gpt-5.6-sol'])
          this.#budget(subjectOf('pool', of), nanosOf(keep.budget_usd_per_day))
        const body = { gateway: 'desk', system: this.#text('pool'), keep_warm: keep }
        const all = how < 0.5 ? { gateway_models: 'all' } : {}
        await this.#ask('POST', '/warm', { ...body, ...all, ...(which > 0.6 ? { background: true } : {}) })
        return
      }
      case 'crew':
        return this.#crew(model, which, how)
      case 'remove':
        if (chosen === null) return
        await this.#ask('DELETE', `/prefixes/${chosen[1]}`)
        accountant.deleted(chosen[0])
        this.#ids.delete(chosen[0])
        return
      case 'change': {
        if (chosen === null) return
        const keep_warm = this.#plan(how, how)
        this.#budget(chosen[0], nanosOf(keep_warm.budget_usd_per_day))
        await this.#ask('PATCH', `/prefixes/${chosen[1]}`, { keep_warm })
        return this.#readBudget(...chosen)
      }
      case 'observe': {
        if (chosen === null) return
        const [cached, written] = how < 0.6 ? [5_000, 0] : [0, 5_000]
        const counts = { input_tokens: 5_010, uncached_input_tokens: 10, output_tokens: 5 }
        const usage = { ...counts, cached_input_tokens: cached, cache_write_input_tokens: written }
        await this.#ask('POST', '/observations', [{ prefix_id: chosen[1], usage, started_at: world.now }])
        return
      }
      case 'announce': {
        const at = new Date(world.now + Math.ceil(how * 30 * MINUTE_MS) + 1_000).toISOString()
        if (chosen !== null) await this.#ask('POST', `/prefixes/${chosen[1]}/announce`, { at, expected_requests: 2 })
        return
      }
      case 'signal':
        if (chosen !== null)
          await this.#ask('POST', `/prefixes/${chosen[1]}/signals`, { kind: how < 0.3 ? 'end' : 'pending' })
        return
      case 'keep': {
        // The next due time, its alarm, and the messages that it sends.
        const dueAt = await runInDurableObject(world.registry(), (_, { storage }) => storage.getAlarm())
        if (dueAt === null || dueAt > world.now + 2 * 3_600_000) return
        if (dueAt > world.now) world.later(dueAt - world.now)
        const before = world.messages.length
        await world.alarm()
        for (const message of world.messages.slice(before)) if (how < 0.9) await world.deliver(message)
        return
      }
      case 'alarm':
        await world.alarm()
        return
      case 'cron':
        await world.cron()
        return
      case 'deliver':
        return this.#deliver(which)
      case 'deliverAgain':
        // A message that came long ago, or one twice at once.
        if (world.messages.length === 0) return
        await Promise.all([world.deliver(pick(world.messages, which)), world.deliver(pick(world.messages, which))])
        return
      case 'loseMessage':
        world.messages.pop()
        return
      case 'wait':
        world.later(pick([1_000, 20_000, 2 * MINUTE_MS, 4.6 * MINUTE_MS, 12 * MINUTE_MS, 31 * MINUTE_MS], how))
        return
      case 'midnight': {
        // Shortly before it, or shortly after.
        const leftMs = DAY_MS - (world.now % DAY_MS)
        if (leftMs > 5 * 3_600_000) return
        world.later(how < 0.5 ? Math.max(1, leftMs - 1_500) : leftMs + 1_500)
        return
      }
      case 'price':
        return world.price(pick(FACTORS, how))
      case 'accountBudget': {
        const { accountBudget } = this.#terms
        if (accountBudget === null) return
        const usd = Math.round(accountBudget * pick([0.5, 1, 1.5], how) * 1e4) / 1e4
        this.#accountBudget(usd)
        await world.admin('PATCH', `/accounts/${world.account}`, { budget_usd_per_day: usd })
        return
      }
      case 'killSwitch':
      case 'globalSwitch': {
        // Mostly off: nothing is spent while it is on.
        const isOn = how < 0.3 && !this.#switches[act]
        if (act === 'killSwitch') await world.admin('PATCH', `/accounts/${world.account}`, { kill_switch: isOn })
        else await world.admin('POST', '/kill-switch', { on: isOn })
        this.#switches[act] = isOn
        accountant.isKilled = this.#switches.killSwitch || this.#switches.globalSwitch
        return
      }
      case 'evict':
        return world.evict(world.registry())
      case 'hold':
        world.isHeld = true
        return
      case 'release':
        return world.release()
      case 'fault':
        return this.#fault(which, how)
      case 'loseAnswer':
        world.losing = 1
        return
      case 'cache':
      case 'cacheAsk':
      case 'cacheChange':
      case 'cacheRemove':
        return this.#cache(act, which, how)
      case 'bot':
      case 'message':
      case 'botAlarm':
      case 'botCancel':
      case 'botEvict':
        return this.#bot(act, which, how)
    }
  }

  readonly #switches = { killSwitch: false, globalSwitch: false }

  #fault(which: number, how: number): void {
    const { faults } = this.world.lab
    if (this.#terms.counting === 'hostile' && how < 0.5)
      return void faults.add({ kind: 'overbilled', factor: 3, times: 1 })
    if (how < 0.65) return void faults.add({ kind: 'wrong_usage', how: pick(WRONG, which), times: 1 })
    if (how < 0.75) return void faults.add({ kind: 'missing_usage', times: 1 })
    faults.add({ kind: 'server_error', charged: how < 0.92, times: 1 })
  }

  async #crew(of: Model, which: number, how: number): Promise<void> {
    this.#crews += 1
    const crew = `crew-${this.#crews % 2}`
    const keep = { ...this.#plan(0.6, how), plan: 'off' as const }
    const words = ['x', 'y', 'z'].map((agent) => `${crew}-${of.place}-${agent}`)
    const head = `${crew}-${of.place}`
    for (const word of [head, ...words]) this.#budget(subjectOf(word, of.model), nanosOf(keep.budget_usd_per_day))
    const agents = words.map((word) => {
      const texts = [this.#text(head), textOf(word, this.#terms.kind, 2_000)]
      return { ...warmBody(of, texts, this.#terms.withTool), name: `${word} of ${this.world.account}`, keep_warm: keep }
    })
    const strategy = pick(['shared_prefix', 'shared_prefix', 'parallel', 'sequential'], which)
    const before = this.world.messages.length
    await this.#ask('POST', '/preload', { agents, strategy, background: true })
    for (const message of this.world.messages.slice(before)) if (how < 0.8) await this.world.deliver(message)
  }

  async #cache(act: Step['act'], which: number, how: number): Promise<void> {
    const gemini = MODELS[3]!
    const word = how < 0.5 ? 'cache-a' : 'cache-b'
    const subject = subjectOf(word, gemini.model)
    const budget = this.#terms.cacheBudget
    if (act === 'cache') {
      const { systemInstruction } = bodyOf(gemini, [this.#text(word)], false)
      this.#budget(subject, budget === null ? null : nanosOf(budget))
      const keep = { idle: '40m', budget_usd_per_day: budget }
      const contents = { provider: 'gemini', model: gemini.model, request: { systemInstruction }, ttl: '20m', keep }
      const made = await this.#ask('POST', '/caches', contents)
      const id = made?.json['id'] as string | undefined
      if (id !== undefined) this.#caches.set(subject, id)
      return
    }
    const known = [...this.#caches]
    if (known.length === 0) return
    const [of, id] = pick(known, which)
    if (act === 'cacheAsk') await this.#ask('GET', `/caches/${id}`)
    if (act === 'cacheChange') await this.#ask('PATCH', `/caches/${id}`, { ttl: how < 0.5 ? '20m' : '45m' })
    if (act !== 'cacheRemove') return
    await this.#ask('DELETE', `/caches/${id}`)
    this.world.accountant.deleted(of)
    this.#caches.delete(of)
  }

  async #bot(act: Step['act'], which: number, how: number): Promise<void> {
    const { world } = this
    if (act === 'bot') {
      if (this.#bots.length > 1) return
      const of = how < 0.5 ? MODELS[0]! : MODELS[1]!
      const word = `bot-${this.#bots.length}`
      const { botBudget } = this.#terms
      const keep_warm = this.#plan(how, which)
      this.#budget(subjectOf(word, of.model), nanosOf(keep_warm.budget_usd_per_day))
      world.accountant.botBudget(subjectOf(word, of.model), nanosOf(botBudget))
      const limits = { cost_budget_usd: botBudget, max_output_tokens: 64, keep_warm }
      const given = { provider: of.place, model: of.model, system_prompt: textOf(word, this.#terms.kind, 6_000) }
      const made = await this.#ask('POST', '/bots', { ...given, ...limits })
      const id = made?.json['id'] as string | undefined
      if (id !== undefined) this.#bots.push(id)
      return
    }
    if (this.#bots.length === 0) return
    const id = pick(this.#bots, which)
    if (act === 'message') {
      await this.#ask('POST', `/bots/${id}/messages`, { text: 'And which stove?' })
      await world.botAlarm(id)
    }
    if (act === 'botAlarm') await world.botAlarm(id)
    if (act === 'botCancel') {
      const isOurs = (bill: { isBot: boolean }): boolean => bill.isBot
      world.accountant.disturbed(isOurs)
      await this.#ask('POST', `/bots/${id}/cancel`)
    }
    if (act === 'botEvict') {
      world.accountant.disturbed(({ isBot }) => isBot)
      await world.evict(world.bot(id))
    }
  }

  /** Ends everything, and compares the books with the transcript. */
  async finish(): Promise<void> {
    const { world } = this
    world.losing = 0
    world.lab.faults.clear()
    await world.release()
    for (const id of this.#ids.values()) {
      const advice = (await world.ask('GET', `/prefixes/${id}`)).json['advice'] as { cause: string }[] | undefined
      if (advice?.some(({ cause }) => cause === 'bound_exceeded') === true) this.told += 1
    }
    await world.admin('PATCH', `/accounts/${world.account}`, { kill_switch: true })
    for (const hours of [0.2, 2, 2]) {
      world.later(hours * 3_600_000)
      const before = world.messages.length
      await world.alarm()
      for (const message of world.messages.slice(before)) await world.deliver(message)
    }
    await world.run(bindings.REGISTRY.getByName(world.account).rollUp())
    await world.alarm()
    if (!world.isQuiet) world.accountant.broken.push('something never ended')
    world.accountant.finish(new Map([...this.#most].map(([whose, nanos]) => [whose, nanos])))
    world.accountant.audit(await world.books(), 'in the end')
    if (this.#switches.globalSwitch) await world.admin('POST', '/kill-switch', { on: false })
  }
}
