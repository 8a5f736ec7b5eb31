import type { Arrival } from '../../../core/events/arrived.ts'
import { applyConversationAdvanced } from '../../../core/events/conversation-advanced.ts'
import { learnedRetention } from '../../../core/cache/retention.ts'
import { newState } from '../../../core/prefix/state.ts'
import type { ProbeScheduler } from '../probes/scheduler.ts'
import { DEFAULT_KEEP_WARM } from '../../../registration/registration.ts'
import type { RegistryStore } from '../tables/tables.ts'
import type { ProbeSchedulerPorts } from '../probes/context.ts'
import { dayOf } from '../../../core/time/time.ts'
import type { FollowedTurn } from '../records/bot-call.ts'
import type { PrefixRecord } from '../../../registration/record.ts'

/**
 * Bots' conversations among the prefixes of their account: one prefix for each bot, whose content is replaced after each
 * turn. What the planner knows of it (idle gaps, losses, the day's spending) is the conversation's and stays.
 */
export class BotPrefix {
  readonly #store: RegistryStore
  readonly #keeper: ProbeScheduler
  readonly #ports: ProbeSchedulerPorts

  constructor(store: RegistryStore, keeper: ProbeScheduler, ports: ProbeSchedulerPorts) {
    this.#store = store
    this.#keeper = keeper
    this.#ports = ports
  }

  /** The id of the bot's prefix, before and after it is there. */
  idOf(bot: string): string {
    return `pfx_0_${bot.replace(/^bot_/, '')}`
  }

  /** False where another prefix has this very content already, or a call is in flight that would speak of the former one. */
  follow({ bot, arrival, registration, entry }: FollowedTurn, now: number): boolean {
    return this.#store.transaction(() => {
      const id = this.idOf(bot)
      const known = this.#store.prefixes.keyOf('id', id)
      if (known !== null) this.#arrived(known, arrival, now)
      const same = this.#store.prefixes.keyOf('fingerprint', registration.fingerprint)
      if (same !== null && same !== known) return false
      if (known !== null && this.#keeper.inFlight(known) !== null) return false
      const { body, keepWarm, required: _, ...given } = registration
      const facts = this.#ports.factsOf(given.provider, given.model, now)
      const offer = facts.retentions.find(({ name }) => name === given.retention)
      const retention = offer === undefined ? null : learnedRetention(offer)
      const before = known === null ? null : this.#store.prefixes.record(known)
      if (known === null || before === null) {
        const standing = { createdAt: now, version: 1, superseded: false, keepWarm: keepWarm ?? DEFAULT_KEEP_WARM }
        const record: PrefixRecord = { ...given, id, ...standing }
        const k = this.#store.prefixes.insert(record, newState(now, dayOf(now), retention), body)
        // A label of the caller's own that happens to be spelled so stays where it is.
        if (given.name !== null && this.#store.prefixes.name(given.name) === null)
          this.#store.prefixes.saveName(given.name, k, 1)
        this.#keeper.replan(k, now, (state) => applyConversationAdvanced(state, entry, retention))
        return true
      }
      // Its label, its plan and whatever else somebody changed by hand stay.
      const { name: _label, ...content } = given
      this.#store.prefixes.replace(known, { ...before, ...content }, body)
      this.#keeper.replan(known, now, (state) => applyConversationAdvanced(state, entry, retention))
      return true
    })
  }

  /** A turn is told once, also where its end is carried out twice. */
  #arrived(k: number, arrival: Arrival, now: number): void {
    const last = this.#store.states.load(k)?.lastArrivalAt ?? null
    if (last === null || arrival.startedAt > last) this.#keeper.observe(k, [arrival], now)
  }
}
