import type { Clock } from '../../runtime/clock.ts'
import type { Environment } from '../../runtime/env.ts'
import { registryAt } from '../../runtime/objects.ts'
import { durableSql } from '../sql.ts'
import { DailyRollUp } from './daily-roll-up.ts'
import { Reconciliation } from './reconciliation.ts'
import { hasWork, Rounds } from './rounds.ts'
import type { Round } from './rounds.ts'
import { RoundStore } from './tables/rounds.ts'
import type { RoundNames, RoundProgress } from './tables/rounds.ts'
import { UnclaimedCacheStore } from './tables/unclaimed-caches.ts'

/** Work for every account: changes of the kill switch and of facts, daily maintenance, managed caches. */
export type WorkName = 'deployment_state' | 'roll_up' | 'reconciliation'

/** `pending`: accounts that wait for it; `failed`: of these, could not be reached. */
export type WorkProgress = { running: boolean; pending: number; failed: number }

/** What it needs of the Directory. */
export interface WorkPorts {
  storage: DurableObjectStorage
  env: Environment
  clock: Clock
  /** Tells an account of the state of the deployment. */
  tell: (account: string) => Promise<void>
  marks: () => { deployment: string; key: string }
  /** Lets this isolate know the overrides, so that addresses of providers are the right ones. */
  knowOverrides: () => void
}

/** All that is done for every account, and how far it is. */
export class AccountWork {
  readonly #rollOuts: RoundStore
  readonly #reconciliation: Reconciliation
  readonly #dailyRollUp: DailyRollUp
  readonly #work: Readonly<Record<WorkName, Round>>
  readonly #rounds: Rounds

  constructor({ storage, env, clock, tell, marks, knowOverrides }: WorkPorts) {
    const storeOf = (names: RoundNames): RoundStore => new RoundStore(durableSql(storage), names)
    this.#rollOuts = storeOf({ done: 'told', tried: 'tried', settings: 'roll_out' })
    const rollUps = storeOf({ done: 'rolled_up', tried: 'roll_up_tried', settings: 'roll_up' })
    const reconciled = storeOf({ done: 'reconciled', tried: 'reconcile_tried', settings: 'reconcile' })
    const unclaimed = new UnclaimedCacheStore(durableSql(storage))
    const reconciliation = new Reconciliation(reconciled, unclaimed, env, clock, marks)
    this.#reconciliation = reconciliation
    this.#dailyRollUp = new DailyRollUp(rollUps)
    const many = { atOnce: 50, pages: 20 }
    this.#work = {
      deployment_state: { name: 'roll-out', store: this.#rollOuts, ...many, visit: tell },
      roll_up: { name: 'roll-up', store: rollUps, ...many, visit: (account) => registryAt(env, account).rollUp() },
      // A visit makes several calls, some of them to providers.
      reconciliation: {
        name: 'reconcile',
        store: reconciled,
        atOnce: 20,
        pages: 5,
        visit: (account) => {
          knowOverrides()
          return reconciliation.visit(account)
        },
        after: {
          isDue: () => reconciliation.isDue(),
          run: (progress) => {
            knowOverrides()
            return reconciliation.after(progress)
          },
        },
      },
    }
    this.#rounds = new Rounds(Object.values(this.#work), storage, clock)
  }

  /** A new account needs none of what began before it. */
  joined(account: string): void {
    for (const { store } of Object.values(this.#work)) store.joined(account)
  }

  /** Counts a change of the deployment's state, and returns its number. `arm` lets the accounts be told. */
  changed(): number {
    return this.#rollOuts.begin()
  }

  /** Begins what is due by the clock. */
  begin(now: number): void {
    this.#dailyRollUp.begin(now)
    this.#reconciliation.begin(now)
  }

  /** Lets the next reconciliation begin at `at`. */
  reconcileAt(at: number): void {
    this.#reconciliation.beginAt(at)
  }

  arm(): Promise<void> {
    return this.#rounds.arm()
  }

  run(): Promise<void> {
    return this.#rounds.run()
  }

  rollOut(): RoundProgress {
    return this.#rollOuts.progress()
  }

  progress(): Record<WorkName, WorkProgress> {
    const { deployment_state, roll_up, reconciliation } = this.#work
    return {
      deployment_state: shown(deployment_state),
      roll_up: shown(roll_up),
      reconciliation: shown(reconciliation),
    }
  }
}

function shown(round: Round): WorkProgress {
  const { pending, failed } = round.store.progress()
  return { running: hasWork(round), pending, failed }
}
