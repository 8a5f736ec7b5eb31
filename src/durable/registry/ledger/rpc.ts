import type { Grants } from '../../../calls/credential.ts'
import type { Arms } from '../../../core/ledger/holdout-estimate.ts'
import type { Clock } from '../../../runtime/clock.ts'
import type { AccountSettings } from '../records/account.ts'
import type { DayTotals } from '../records/day.ts'
import type { LedgerEntry, LedgerPlace, PrefixSum, Span } from '../records/ledger.ts'
import type { StatQuery, StatSum } from '../records/day.ts'
import type { ManagedCacheStore } from '../tables/managed-caches.ts'
import type { RegistryStore } from '../tables/tables.ts'
import type { BotCallBegun, BotCallEnded, BotCallLedger } from './bot-calls.ts'
import { ledgerEntries, prefixSums } from './pages.ts'

/** Collaborators that `LedgerRpc` needs. */
export interface LedgerRpcPorts {
  clock: Clock
  store: RegistryStore
  cacheStore: ManagedCacheStore
  botCalls: BotCallLedger
  settings: () => AccountSettings
  /** What a bot's call may use, and whether a kill switch is on. Null: the account was erased. */
  grantsForBot: (credential: string) => (Grants & { killed: boolean }) | null
}

/** RPC methods that read the ledger, and that book the calls of bots. */
export class LedgerRpc {
  readonly #ports: LedgerRpcPorts
  readonly #store: RegistryStore

  constructor(ports: LedgerRpcPorts) {
    this.#ports = ports
    this.#store = ports.store
  }

  totals(): { day: string; totals: DayTotals }[] {
    this.#giveUpCalls()
    return this.#store.days.all()
  }

  /** The arms of the holdout, by UTC day. */
  trials(): { day: string; arms: Arms }[] {
    return this.#store.trials.all()
  }

  /** Sums of what real requests read, `limit` groups behind the first `skip`, and of all of them. */
  stats(query: StatQuery, skip: number, limit: number): { sums: StatSum[]; all: StatSum | null } {
    const { stats } = this.#store
    return { sums: stats.sums(query, skip, limit), all: stats.sums({ ...query, by: [] }, 0, 1)[0] ?? null }
  }

  ledgerSums(span: Span, before: number | null, limit: number): { sums: PrefixSum[]; cursor: number | null } {
    return prefixSums(this.#store, span, before, limit)
  }

  ledgerEntries(
    span: Span,
    place: LedgerPlace | null,
    limit: number,
  ): { entries: LedgerEntry[]; next: LedgerPlace | null } {
    this.#giveUpCalls()
    return ledgerEntries(this.#store, this.#ports.cacheStore, span, place, limit)
  }

  /** Charges calls of bots whose end was never reported. No other call may come that would do it. */
  #giveUpCalls(): void {
    this.#ports.botCalls.giveUp(this.#ports.clock.now())
  }

  /**
   * What a bot's call may use. `refused`: why it must not be made. Where that is null and no kill switch is on, the worst
   * case of its cost is reserved until `endBotCall`. Null: the account was erased.
   */
  beginBotCall(call: BotCallBegun, credential: string): (Grants & { killed: boolean; refused: string | null }) | null {
    const grants = this.#ports.grantsForBot(credential)
    if (grants === null) return null
    if (grants.killed) return { ...grants, refused: null }
    const { budgetNanosPerDay } = this.#ports.settings()
    return { ...grants, refused: this.#ports.botCalls.begin(call, budgetNanosPerDay, this.#ports.clock.now()) }
  }

  /** Books the end of a bot's call. False: it was booked already, or never begun. */
  endBotCall(call: BotCallEnded): boolean {
    return this.#ports.botCalls.end(call)
  }
}
