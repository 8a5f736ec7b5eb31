import { BodyKey } from '../body-key.ts'
import { LiveStore } from '../live/tables.ts'
import { durableSql } from '../sql.ts'
import { registryAt } from '../../runtime/objects.ts'
import type { Environment } from '../../runtime/env.ts'
import type { BotCallLog } from './tables/calls.ts'

/**
 * The key that seals a bot's conversation: that of its account, which its Registry hands out. What an older version stored in clear is sealed
 * when the key comes.
 */
export class BotKey extends BodyKey {
  readonly #store: LiveStore
  #calls: BotCallLog | null = null

  constructor(ctx: DurableObjectState, env: Environment) {
    const plain = new LiveStore(durableSql(ctx.storage))
    const [account = ''] = (ctx.id.name ?? '').split('/')
    // The state itself says which key sealed it.
    const stored = { load: () => plain.print(), save: () => {}, clear: () => {} }
    super((print) => registryAt(env, account).bodyKey(print), stored)
    this.#store = new LiveStore(durableSql(ctx.storage), this)
  }

  /** Also seals the answers and results of `calls`. */
  seals(calls: BotCallLog): void {
    this.#calls = calls
  }

  override async ready(): Promise<void> {
    if (this.isHere) return
    await super.ready()
    this.#store.sealClear()
    this.#calls?.sealClear()
  }
}
