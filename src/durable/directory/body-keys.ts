import { Failure } from '../../contract/failure.ts'
import { rewrapped, unwrapBodyKey, wrapBodyKey } from '../../runtime/body-seal.ts'
import { newBodyKey, printOf } from '../../runtime/sealed-bytes.ts'
import type { Vars } from '../../runtime/env.ts'
import { secretsId } from '../../runtime/seal.ts'
import type { DirectoryStore } from './tables/accounts.ts'
import type { BodyKeyStore } from './tables/body-keys.ts'

/** Keys that are wrapped again in one go. */
const WRAPPED_AT_ONCE = 200

/** How far the keys were wrapped again under which secrets; `after` null: all are. */
interface Wrapped {
  secrets: string
  after: string | null
}

/** The keys that seal what the accounts store of prompts. */
export class BodyKeys {
  readonly #store: DirectoryStore
  readonly #keys: BodyKeyStore
  readonly #vars: Vars

  constructor(store: DirectoryStore, keys: BodyKeyStore, vars: Vars) {
    this.#store = store
    this.#keys = keys
    this.#vars = vars
  }

  /**
   * The key of an account, made at its first use. `print` is the fingerprint of the key that sealed what the account has; null: nothing is
   * sealed. Throws `unauthenticated` where the account is deleted, and `not_configured` where the deployment cannot open the key, or where
   * it has another one than the account was sealed under: one of the two databases was restored to an earlier time.
   */
  of(account: string, print: string | null): string {
    if (!this.#store.has(account) || this.#store.deletingAt(account) !== null)
      throw new Failure('unauthenticated', 'The account was deleted.')
    const known = this.#keys.load(account)
    if (known === null) {
      if (!this.#isReplaceable(account, print)) throw lost('has no key of it')
      const key = newBodyKey()
      this.#keys.save(account, wrapBodyKey(key, account, this.#vars))
      return key
    }
    const key = unwrapBodyKey(known, account, this.#vars)
    if (print !== printOf(key) && !this.#isReplaceable(account, print)) throw lost('has another key of it')
    const next = rewrapped(known, account, this.#vars)
    if (next !== null) this.#keys.save(account, next)
    return key
  }

  /** Whether an account may get another key: nothing of it is sealed, or what is was sealed under a key that was forgotten on purpose. */
  #isReplaceable(account: string, print: string | null): boolean {
    return print === null || this.#keys.wasForgotten(account, print)
  }

  /** Forgets the key of an account. What it sealed cannot be opened any more, whatever copies of it there are. */
  forget(account: string, now: number): void {
    const known = this.#keys.load(account)
    if (known === null) return
    this.#store.transaction(() => {
      this.#keys.delete(account)
      const print = this.#printOf(known, account)
      if (print !== null) this.#keys.addForgotten(account, print, now)
    })
  }

  #printOf(wrapped: string, account: string): string | null {
    try {
      return printOf(unwrapBodyKey(wrapped, account, this.#vars))
    } catch {
      return null // its secret is gone, which must not keep the key from being forgotten
    }
  }

  /** Wraps some of the keys again that the former secret wrapped, or none, until all are wrapped under the secret of today. */
  rewrapSome(): void {
    const secrets = secretsId(this.#vars)
    if (secrets === null) return
    const known = this.#store.setting('body_keys_wrapped')
    const before = known === null ? null : (JSON.parse(known) as Wrapped)
    const done = before?.secrets === secrets ? before : { secrets, after: '' }
    if (done.after === null) return
    const some = this.#keys.after(done.after, WRAPPED_AT_ONCE)
    this.#store.transaction(() => {
      for (const { account, key } of some) {
        const next = rewrapped(key, account, this.#vars)
        if (next !== null) this.#keys.save(account, next)
      }
      const after = some.length < WRAPPED_AT_ONCE ? null : (some.at(-1)?.account ?? null)
      this.#store.saveSetting('body_keys_wrapped', JSON.stringify({ secrets, after } satisfies Wrapped))
    })
  }
}

function lost(what: string): Failure {
  return new Failure(
    'not_configured',
    `The stored prompts of this account were sealed under a key that is not here: the Directory ${what}, so one of the two databases was restored to an earlier time. Restore both to the same time; or give the prompts up with DELETE /accounts/{id}/prompts, and register them again.`,
    { reason: 'body_key_lost' },
  )
}
