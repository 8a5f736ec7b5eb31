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
 * Registers bots' conversations as prefixes: one prefix for each bot, whose content is replaced after each turn. What the
 * planner has learned (idle gaps, losses, the day's spending) belongs to the conversation, and stays.
 */
export class BotPrefix {
  readonly #store: RegistryStore
  readonly #scheduler: ProbeScheduler
  readonly #ports: ProbeSchedulerPorts

  constructor(store: RegistryStore, scheduler: ProbeScheduler, ports: ProbeSchedulerPorts) {
    this.#store = store
    this.#scheduler = scheduler
    this.#ports = ports
  }

  /** The id of the bot's prefix, whether or not it is registered yet. */
  idOf(bot: string): string {
    return `pfx_0_${bot.replace(/^bot_/, '')}`
  }

  /**
   * Replaces the content of the bot's prefix after a turn. Returns false where another prefix has the same content, or where a call
   * is in flight: its answer would be about the former content.
   */
  follow({ bot, arrival, registration, entry }: FollowedTurn, now: number): boolean {
    return this.#store.transaction(() => {
      const id = this.idOf(bot)
      const known = this.#store.prefixes.keyOf('id', id)
      if (known !== null) this.#observeOnce(known, arrival, now)
      const same = this.#store.prefixes.keyOf('fingerprint', registration.fingerprint)
      if (same !== null && same !== known) return false
      if (known !== null && this.#scheduler.inFlight(known) !== null) return false
      const { body, keepWarm, required: _, ...given } = registration
      const facts = this.#ports.factsOf(given.provider, given.model, now)
      const offer = facts.retentions.find(({ name }) => name === given.retention)
      const retention = offer === undefined ? null : learnedRetention(offer)
      const before = known === null ? null : this.#store.prefixes.record(known)
      if (known === null || before === null) {
        const standing = { createdAt: now, version: 1, superseded: false, keepWarm: keepWarm ?? DEFAULT_KEEP_WARM }
        const record: PrefixRecord = { ...given, id, ...standing }
        const k = this.#store.prefixes.insert(record, newState(now, dayOf(now), retention), body)
        // A caller may have given this label to another prefix: that one keeps it.
        if (given.name !== null && this.#store.prefixes.name(given.name) === null)
          this.#store.prefixes.saveName(given.name, k, 1)
        this.#scheduler.replan(k, now, (state) => applyConversationAdvanced(state, entry, retention))
        return true
      }
      // The label, the plan and other changes that callers made stay.
      const { name: _label, ...content } = given
      this.#store.prefixes.replace(known, { ...before, ...content }, body)
      this.#scheduler.replan(known, now, (state) => applyConversationAdvanced(state, entry, retention))
      return true
    })
  }

  /** Observes a turn's request once, even where the end of the turn runs twice. */
  #observeOnce(k: number, arrival: Arrival, now: number): void {
    const last = this.#store.states.load(k)?.lastArrivalAt ?? null
    if (last === null || arrival.startedAt > last) this.#scheduler.observe(k, [arrival], now)
  }
}
