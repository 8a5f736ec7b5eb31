import { sealedFor } from '../../../calls/webhook-message.ts'
import type { SealedSecret, WebhookTarget } from '../../../calls/webhook-message.ts'
import type { Vars } from '../../../runtime/env.ts'
import { newWebhookSecret } from '../../../runtime/ids.ts'
import { seal, sealedWith, unseal } from '../../../runtime/seal.ts'
import type { Outbox } from './outbox.ts'
import type { DeliveryOutcome } from './outbox.ts'
import type { WebhookView } from '../records/webhook.ts'
import type { MessageKind, RaisedAlarm, StoppedPlan } from '../tables/outbox.ts'
import type { RegistryStore } from '../tables/tables.ts'
import { DAY_MS } from '../../../core/time/time.ts'

/** After a new secret is drawn, the former one signs for this time too, so that receivers can change over. */
const FORMER_SECRET_MS = DAY_MS

/** One attempt to deliver a message. */
export interface DeliveryAttempt {
  seq: number
  /** Number of this attempt, from 1. */
  attempt: number
  /** The same for every attempt, so that a receiver recognizes a message that comes twice. */
  id: string
  createdAt: number
  /** How many plans stopped; `stops` lists the first of them. */
  count: number
  stops: StoppedPlan[]
  /** What it is about; of alarms, `alarms` lists the first of them. */
  kind: MessageKind
  alarms: RaisedAlarm[]
  target: WebhookTarget
}

interface Row extends SealedSecret {
  url: string
  createdAt: number
  secretAt: number
  former: (SealedSecret & { untilAt: number }) | null
  delivered: number
  lastDeliveredAt: number | null
  lastFailure: { at: number; why: string } | null
}

/** The account's webhook: its address and secrets, and the messages about plans that stopped. */
export class Webhook {
  readonly #store: RegistryStore
  readonly #outbox: Outbox
  readonly #account: string
  readonly #vars: Vars

  constructor(store: RegistryStore, outbox: Outbox, account: string, vars: Vars) {
    this.#store = store
    this.#outbox = outbox
    this.#account = account
    this.#vars = vars
  }

  /**
   * Sets the address. Draws a secret the first time and with `rotate`: it is in this answer and in no later one. Messages that
   * were not delivered are tried again. Throws `not_configured` where the deployment has no key-encryption secret.
   */
  put({ url, rotate }: { url: string; rotate: boolean }, now: number): { view: WebhookView; secret: string | null } {
    return this.#store.transaction(() => {
      const before = this.#row()
      const secret = before === null || rotate ? newWebhookSecret() : null
      const kept: Row =
        before === null
          ? { ...NEW, url, createdAt: now, secretAt: now, sealed: '', generation: 0, former: null }
          : { ...before, url }
      const row: Row = secret === null ? kept : this.#withSecret(kept, secret, now)
      this.#save(row)
      this.#store.outbox.wakeAll(now)
      return { view: this.#view(row), secret }
    })
  }

  #withSecret(row: Row, secret: string, now: number): Row {
    const generation = row.generation + 1
    const { sealed, generation: formerGeneration } = row
    const former = sealed === '' ? null : { sealed, generation: formerGeneration, untilAt: now + FORMER_SECRET_MS }
    const text = seal(secret, sealedFor(this.#account, generation), this.#vars)
    return { ...row, generation, sealed: text, secretAt: now, former }
  }

  view(): WebhookView | null {
    const row = this.#row()
    return row === null ? null : this.#view(row)
  }

  /** Deletes the webhook and its undelivered messages. Returns false where there was none. */
  remove(): boolean {
    if (this.#row() === null) return false
    this.#store.transaction(() => {
      this.#store.deleteSetting('webhook')
      this.#store.outbox.clear()
    })
    return true
  }

  /** Where messages go at `now`, and their secrets. Null: there is no webhook. */
  target(now: number): WebhookTarget | null {
    const row = this.#row()
    if (row === null) return null
    const { url, sealed, generation, former } = row
    const secrets = [{ sealed, generation }]
    if (former !== null && now < former.untilAt) secrets.push({ sealed: former.sealed, generation: former.generation })
    return { account: this.#account, url, secrets }
  }

  /** Begins the attempts that are due. An attempt that is not settled in time is made again. */
  take(now: number): DeliveryAttempt[] {
    return this.#store.transaction(() => {
      const target = this.target(now)
      if (target === null) return []
      return this.#outbox.take(now).map(({ seq, tries, id, createdAt, count, stops, kind, alarms }) => ({
        seq,
        attempt: tries,
        id,
        createdAt,
        count,
        stops,
        kind,
        alarms,
        target,
      }))
    })
  }

  /** Stores the outcome of an attempt, where it is the one in flight. */
  settle(outcome: DeliveryOutcome, now: number): void {
    this.#store.transaction(() => {
      const row = this.#row()
      if (row === null || !this.#outbox.settle(outcome, now)) return
      const { why } = outcome
      this.#save(
        why === null
          ? { ...row, delivered: row.delivered + 1, lastDeliveredAt: now, lastFailure: null }
          : { ...row, lastFailure: { at: now, why } },
      )
    })
  }

  /** Seals again what the former key-encryption secret sealed, and deletes a former signing secret that has expired. */
  reseal(now: number): void {
    const row = this.#row()
    if (row === null) return
    const former = row.former !== null && now < row.former.untilAt ? row.former : null
    const again = <One extends SealedSecret>(one: One): One => {
      if (sealedWith(one.sealed, this.#vars) !== 'previous') return one
      const to = sealedFor(this.#account, one.generation)
      return { ...one, sealed: seal(unseal(one.sealed, to, this.#vars), to, this.#vars) }
    }
    this.#save({ ...again(row), former: former === null ? null : again(former) })
  }

  #view(row: Row): WebhookView {
    const { url, createdAt, secretAt, sealed, delivered, lastDeliveredAt, lastFailure } = row
    const { waiting, givenUp } = this.#store.outbox.counts()
    return {
      url,
      createdAt,
      secretAt,
      sealedWith: sealedWith(sealed, this.#vars),
      waiting,
      undeliverable: givenUp,
      delivered,
      lastDeliveredAt,
      lastFailure,
    }
  }

  #row(): Row | null {
    const text = this.#store.setting('webhook')
    return text === null ? null : (JSON.parse(text) as Row)
  }

  #save(row: Row): void {
    this.#store.saveSetting('webhook', JSON.stringify(row))
  }
}

const NEW = { delivered: 0, lastDeliveredAt: null, lastFailure: null }
