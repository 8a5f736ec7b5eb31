import type { TranscriptRow } from '../../lab/index.ts'
import { wordsOf } from './bodies.ts'
import { billOf, mostFor, storageNanos } from './prices.ts'
import type { Rates } from './prices.ts'

/** `exact`: the answer's counts reached Pilotlight. `worst`: they did not, or cannot be true. `either`: it may have settled the call otherwise. */
export type Told = 'exact' | 'worst' | 'either'

/** A call that a provider billed. */
export interface Bill {
  row: TranscriptRow
  nanos: number
  most: number
  day: string
  /** The word of what it was for. */
  of: string
  told: Told
  /** Its answer is under way. */
  open: boolean
  isBot: boolean
  /** Its prefix was deleted since. */
  isForgotten: boolean
}

interface Handle {
  of: string
  /** Whether its tokens are known to Pilotlight. */
  told: Told
  tokens: number
  fromAt: number
  untilAt: number
}

/** Booked beside what was billed on one UTC day, in nano-dollars. */
export interface Booked {
  day: string
  nanos: number
}

const ACCOUNT = 'account'

/** By how much the clock of a script moves on, at most, while a creation that nobody waits for is under way: a few steps of 1 ms. */
const UNDER_WAY_MS = 5

/** Name of what a budget is for: contents at a model. */
export function subjectOf(word: string, model: string): string {
  return `${word}@${model}`
}

const dayOf = (at: number): string => new Date(at).toISOString().slice(0, 10)
const DAY_MS = 86_400_000

/** Knows what the providers served, at which prices, and which budgets were set: nothing of the product. */
export class Accountant {
  readonly broken: string[] = []
  readonly bills: Bill[] = []
  readonly #rates: () => Rates
  /** Budgets by word, and that of the account: all that were in force since nothing was in flight. Null: none. */
  readonly #budgets = new Map<string, (number | null)[]>()
  readonly #sums = new Map<string, number>()
  readonly #handles = new Map<string, Handle>()
  /** Keys of sums to which a call beyond the bound belongs. */
  readonly #exceeded = new Set<string>()
  /** The dearest settled call beyond the bound, by word, as long as its prefix stands. */
  readonly #dearest = new Map<string, number>()
  /** What bots may cost, by word. */
  readonly #botBudgets = new Map<string, number>()
  isKilled = false

  constructor(rates: () => Rates) {
    this.#rates = rates
  }

  /** A budget is in force from now on. Of what was reserved before, the former one held. */
  budget(of: string, nanos: number | null): void {
    this.#budgets.set(of, [...(this.#budgets.get(of) ?? []), nanos])
  }

  accountBudget(nanos: number | null): void {
    this.budget(ACCOUNT, nanos)
  }

  botBudget(of: string, nanos: number): void {
    this.#botBudgets.set(of, nanos)
  }

  /** Nothing is in flight: from now on the last budgets alone count. */
  quiet(): void {
    for (const [of, all] of this.#budgets) this.#budgets.set(of, all.slice(-1))
    for (const bill of this.bills) bill.open = false
    for (const { of, nanos, told, row, isForgotten } of this.bills)
      if (told === 'exact' && !isForgotten && row.faults.includes('overbilled'))
        this.#dearest.set(of, Math.max(this.#dearest.get(of) ?? 0, nanos))
  }

  /** A prefix was deleted: what was learned of it is gone, and a call in flight may be booked in either way. */
  deleted(of: string): void {
    for (const bill of this.bills) {
      if (bill.of !== of) continue
      if (bill.open && bill.told === 'exact') bill.told = 'either'
      bill.isForgotten = true
    }
    this.#dearest.delete(of)
  }

  /** Time passed, or an object was evicted, while answers were under way. */
  disturbed(which: (bill: Bill) => boolean = () => true): void {
    for (const bill of this.bills) if (bill.open && bill.told === 'exact' && which(bill)) bill.told = 'either'
  }

  #limit(of: string): number {
    const all = this.#budgets.get(of) ?? [null]
    return all.includes(null) ? Infinity : Math.max(...all.map((one) => one ?? 0))
  }

  /** A provider has served a call. Checks that it was allowed to be sent. */
  served(row: TranscriptRow, told: Told): Bill | null {
    const of = subjectOf(wordsOf(row.body).at(-1) ?? 'nothing', row.model ?? '')
    if (this.isKilled && row.method !== 'DELETE' && row.method !== 'GET')
      this.broken.push(`${of}: a call was sent while the kill switch was on`)
    this.#stored(row, of, told)
    // A managed cache that its provider failed to name may stand: nobody is told, and the worst case is booked.
    const isNameless =
      row.usage === null && row.method === 'POST' && row.path.includes('cachedContents') && (row.status ?? 0) >= 500
    const nanos = billOf(row, this.#rates()) ?? (isNameless ? 0 : null)
    if (nanos === null) return null
    const isBot = /"stream":\s*true|streamGenerateContent|converse-stream/.test(`${row.path} ${row.body}`)
    const day = dayOf(row.at)
    const bill: Bill = {
      row,
      nanos,
      most: mostFor(row, this.#rates()),
      day,
      of,
      told: isNameless ? 'worst' : told,
      open: true,
      isBot,
      isForgotten: false,
    }
    if (isBot) this.#checkBot(of)
    for (const whose of isBot ? [ACCOUNT] : [of, ACCOUNT]) this.#check(whose, bill)
    this.bills.push(bill)
    return bill
  }

  /** A bot begins no turn once what was spent reaches its budget. */
  #checkBot(of: string): void {
    const budget = this.#botBudgets.get(of) ?? Infinity
    const spent = this.bills.filter((one) => one.isBot && one.of === of).reduce((sum, { nanos }) => sum + nanos, 0)
    if (spent >= budget) this.broken.push(`${of}: called with ${spent} spent of ${budget}`)
  }

  #check(whose: string, { nanos, day, row, of }: Bill): void {
    const key = `${whose} on ${day}`
    const limit = this.#limit(whose)
    const before = this.#sums.get(key) ?? 0
    this.#sums.set(key, before + nanos)
    const isOver = row.faults.includes('overbilled')
    if (!this.#exceeded.has(key)) {
      if (isOver) this.#exceeded.add(key)
      else if (before + nanos > limit) this.broken.push(`${key}: ${before + nanos} billed of ${limit} (${of})`)
      return
    }
    // Beyond the bound: what was in flight may pass the budget, and nothing that is sent once that is known.
    const settled = this.bills
      .filter((one) => one.day === day && !one.open && (whose === ACCOUNT || (one.of === whose && !one.isBot)))
      .reduce((sum, one) => sum + one.nanos, 0)
    const next = whose === ACCOUNT ? 0 : (this.#dearest.get(whose) ?? 0)
    if (settled > 0 && settled + next > limit)
      this.broken.push(`${key}: sent with ${settled} known to be spent, and ${next} for one more, of ${limit} (${of})`)
  }

  /** Handles, as the transcript tells of them. The name of one begins with the number of its creation. */
  #stored(row: TranscriptRow, of: string, told: Told): void {
    if (!row.path.includes('cachedContents') || (row.status !== 200 && row.done_despite !== true)) return
    const id = /cachedContents\/(lab\d{8})/.exec(row.path)?.[1]
    const ttl = Number(/"ttl":\s*"([\d.]+)s"/.exec(row.body)?.[1] ?? 0) * 1_000
    const known = id === undefined ? undefined : this.#handles.get(id)
    if (row.method === 'POST') {
      const tokens = (row.usage as { totalTokenCount: number }).totalTokenCount
      const handle = { of, told, tokens, fromAt: row.at, untilAt: row.at + ttl }
      this.#handles.set(`lab${String(row.seq).padStart(8, '0')}`, handle)
    }
    if (known === undefined || known.untilAt <= row.at) return
    if (row.method === 'PATCH') known.untilAt = row.at + ttl
    if (row.method === 'DELETE') known.untilAt = row.at
  }

  /** Whether every cost so far is known, and booked when its call ends. */
  get isPlain(): boolean {
    return this.#handles.size === 0 && this.bills.every(({ told }) => told !== 'either')
  }

  /** Storage of each handle, by UTC day. Amounts are differences of sums, so that days add up to the whole. */
  #storage(): { of: string; day: string; nanos: number; told: Told }[] {
    return [...this.#handles.values()].flatMap(({ of, told, tokens, fromAt, untilAt }) => {
      const days: { of: string; day: string; nanos: number; told: Told }[] = []
      for (let at = fromAt; at < untilAt;) {
        const endAt = Math.min(untilAt, (Math.floor(at / DAY_MS) + 1) * DAY_MS)
        const nanos = storageNanos(tokens, fromAt, endAt) - storageNanos(tokens, fromAt, at)
        days.push({ of, day: dayOf(at), nanos, told })
        at = endAt
      }
      return days
    })
  }

  /** Storage of all handles while their creation is under way: the product counts it from the sending, the lab from the receipt. */
  #storageUnderWay(): number {
    return [...this.#handles.values()].reduce(
      (sum, { tokens, fromAt }) => sum + storageNanos(tokens, fromAt, fromAt + UNDER_WAY_MS),
      0,
    )
  }

  /** Compares the books with the transcript. Only while nothing is in flight, and no handle lives. */
  audit(booked: readonly Booked[], when: string): void {
    const storage = this.#storage()
    const days = new Set([...booked, ...this.bills, ...storage].map(({ day }) => day))
    for (const day of days) {
      const bills = this.bills.filter((bill) => bill.day === day)
      const sure = bills.filter(({ told }) => told === 'exact')
      const loose = bills.filter(({ told }) => told !== 'exact')
      const stored = storage.filter((one) => one.day === day)
      const exact = [...sure, ...stored.filter(({ told }) => told === 'exact')].reduce(
        (sum, { nanos }) => sum + nanos,
        0,
      )
      const ledger = booked.filter((one) => one.day === day).reduce((sum, { nanos }) => sum + nanos, 0)
      const rest = ledger - exact
      // Nobody can know what was billed beyond the bound without being counted.
      const bounded = loose.filter(({ row }) => !row.faults.includes('overbilled'))
      const least = bounded.reduce((sum, { nanos }) => sum + nanos, 0)
      const looseStorage = stored.filter(({ told }) => told !== 'exact').reduce((sum, { nanos }) => sum + nanos, 0)
      const most = loose.reduce((sum, bill) => sum + Math.max(bill.most, bill.nanos), looseStorage)
      if (rest < least || rest > most + this.#storageUnderWay())
        this.broken.push(
          `${when}: the ledger of ${day} has ${ledger}, the transcript ${exact} of ${sure.length} calls, and ${least} to ${most} that nobody counted: ${loose.map(({ of, told, row }) => `${of} ${told} ${row.path} ${row.status}`).join(', ')}`,
        )
    }
  }

  /** Checks the budgets again with all storage, which days add up to in the end. `most`: the largest budgets that were in force. */
  finish(most: ReadonlyMap<string, number | null>): void {
    const stored = this.#storage()
    if (stored.length === 0) return
    for (const day of new Set(stored.map((one) => one.day))) {
      const ofDay = stored.filter((one) => one.day === day)
      for (const whose of new Set([ACCOUNT, ...ofDay.map(({ of }) => of)])) {
        const own = ofDay.filter(({ of }) => whose === ACCOUNT || of === whose)
        const key = `${whose} on ${day}`
        const sum = (this.#sums.get(key) ?? 0) + own.reduce((nanos, one) => nanos + one.nanos, 0)
        const limit = most.get(whose) ?? Infinity
        if (sum > limit && !this.#exceeded.has(key)) this.broken.push(`${key}: ${sum} billed with storage of ${limit}`)
      }
    }
  }

  get beyond(): number {
    return this.bills.filter(({ row }) => row.faults.includes('overbilled')).length
  }
}
