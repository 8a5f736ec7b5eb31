import type { Vars } from '../../../runtime/env.ts'
import { newWebhookSecret } from '../../../runtime/ids.ts'
import { seal, sealedWith, unseal } from '../../../runtime/seal.ts'
import type { SealedFor, SealedWith } from '../../../runtime/seal.ts'
import type { Outbox } from './outbox.ts'
import type { DeliveryOutcome } from './outbox.ts'
import type { StoppedPlan } from '../tables/outbox.ts'
import type { RegistryStore } from '../tables/tables.ts'
import { DAY_MS } from '../../../core/time/time.ts'

/** For so long after a new secret was drawn the one before signs too, so that a receiver can change over. */
const FORMER_SECRET_MS = DAY_MS
/** No credential can have this name, so that no sealed text of one opens as the other. */
const SEALED_NAME = '/webhook'

/** A signing secret, sealed, and which one of the webhook's it is. */
export interface SealedSecret {
  sealed: string
  generation: number
}

/** Where messages go, and what they are signed with. Only who posts them opens the secrets. */
export interface WebhookTarget {
  account: string
  url: string
  /** The one in force first; for a day after a change, the one before it. */
  secrets: SealedSecret[]
}

/** The right to try once to deliver a message. */
export interface DeliveryAttempt {
  seq: number
  tries: number
  /** The same for every try: by it a receiver knows a message that comes twice. */
  id: string
  createdAt: number
  /** Plans that stopped; `stops` names the first of them. */
  count: number
  stops: StoppedPlan[]
  target: WebhookTarget
}

export interface WebhookView {
  url: string
  createdAt: number
  secretAt: number
  sealedWith: SealedWith
  waiting: number
  undeliverable: number
  delivered: number
  lastDeliveredAt: number | null
  lastFailure: { at: number; why: string } | null
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

/** Where an account's people are told of plans that stopped, and how that goes. */
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
   * Sets the address, with a secret the first time and whenever one is asked for: it is in the answer, and nowhere after. What was
   * not delivered is tried anew. Throws `not_configured` where the deployment has nothing to seal with.
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
    const text = seal(secret, boundTo(this.#account, generation), this.#vars)
    return { ...row, generation, sealed: text, secretAt: now, former }
  }

  view(): WebhookView | null {
    const row = this.#row()
    return row === null ? null : this.#view(row)
  }

  /** True when there was one. What was not delivered is forgotten with it. */
  remove(): boolean {
    if (this.#row() === null) return false
    this.#store.transaction(() => {
      this.#store.deleteSetting('webhook')
      this.#store.outbox.clear()
    })
    return true
  }

  /** Where messages go now; null: nowhere. */
  target(now: number): WebhookTarget | null {
    const row = this.#row()
    if (row === null) return null
    const { url, sealed, generation, former } = row
    const secrets = [{ sealed, generation }]
    if (former !== null && now < former.untilAt) secrets.push({ sealed: former.sealed, generation: former.generation })
    return { account: this.#account, url, secrets }
  }

  /** Tries to be made now. One whose end is never told is made again once its time is over. */
  take(now: number): DeliveryAttempt[] {
    return this.#store.transaction(() => {
      const target = this.target(now)
      if (target === null) return []
      return this.#outbox
        .take(now)
        .map(({ seq, tries, id, createdAt, count, stops }) => ({ seq, tries, id, createdAt, count, stops, target }))
    })
  }

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

  /** Seals anew what is still sealed under the former key-encryption secret, and forgets a secret whose day is over. */
  reseal(now: number): void {
    const row = this.#row()
    if (row === null) return
    const former = row.former !== null && now < row.former.untilAt ? row.former : null
    const again = <One extends SealedSecret>(one: One): One => {
      if (sealedWith(one.sealed, this.#vars) !== 'previous') return one
      const to = boundTo(this.#account, one.generation)
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

function boundTo(account: string, generation: number): SealedFor {
  return { account, name: SEALED_NAME, generation, host: '' }
}

/** Opens the secrets of a webhook. Throws `not_configured` where the deployment has not the secret that they are sealed under. */
export function webhookSecrets({ account, secrets }: WebhookTarget, vars: Vars): string[] {
  return secrets.map(({ sealed, generation }) => unseal(sealed, boundTo(account, generation), vars))
}
