import * as fc from 'fast-check'
import type { KeepWarm } from '../../../src/core/planning/plan.ts'
import { evenly } from '../evenly.ts'

/** The steps of a story, and what holds in it. */

export const ACTS = [
  'register',
  'remove',
  'warmNow',
  'warmLater',
  'sweep',
  'deliver',
  'send',
  'report',
  'observe',
  'miss',
  'announce',
  'withdraw',
  'signal',
  'restart',
  'change',
  'evict',
  'wait',
  'botBegin',
  'botSend',
  'botEnd',
  'botGiveUp',
  'cacheAsk',
  'cacheSweep',
  'cacheBegin',
  'cacheEnd',
  'cacheRemove',
  'price',
  'killSwitch',
] as const

/** Steps that must follow soon after another step to have an effect. */
export const OFTEN = [
  'warmNow',
  'sweep',
  'deliver',
  'deliver',
  'send',
  'send',
  'send',
  'report',
  'report',
  'botBegin',
  'botSend',
  'botEnd',
  'cacheAsk',
  'cacheEnd',
] as const

export interface Step {
  act: (typeof ACTS)[number]
  /** Choice among the candidates, and variant of the step; both in [0, 1). */
  which: number
  how: number
}

export interface Terms {
  plan: KeepWarm['plan']
  budget: number
  accountBudget: number | null
  /** Whether the planner chooses the retention, and the value of an avoided cold start in nano-dollars. */
  open: boolean
  latencyValue: number
  /** Whether managed caches are used: their storage is rounded by the day. */
  caches: boolean
  /** Budget of a managed cache for a day. */
  cacheBudget: number | null
  /** Whether the provider sometimes bills more than the most that was expected. */
  beyond: boolean
}

const unit = evenly(0, 1)
export const steps = fc.array(fc.record({ act: fc.constantFrom(...ACTS, ...OFTEN), which: unit, how: unit }), {
  minLength: 150,
  maxLength: 400,
})
/** `beyond`: whether the provider sometimes bills more than the most that was expected. */
export const termsWith = (beyond: boolean) =>
  fc.record({
    plan: fc.constantFrom<KeepWarm['plan']>('always', 'auto', 'off', { probes: 3 }),
    budget: fc.constantFrom(76_000_000, 130_000_000, 190_000_000, 600_000_000),
    accountBudget: fc.constantFrom(null, 80_000_000, 190_000_000, 300_000_000, 1_000_000_000),
    open: fc.boolean(),
    latencyValue: fc.constantFrom(0, 50_000_000, 1_000_000_000_000),
    caches: fc.boolean(),
    cacheBudget: fc.constantFrom(null, 100_000_000, 160_000_000),
    beyond: fc.constant(beyond),
  })

/** Picks from a list, mostly the newest, so that most steps follow soon and some much later, or twice. */
export function pick<Item>(items: readonly Item[], which: number, how: number): Item | undefined {
  const from = how < 0.7 ? Math.max(0, items.length - 3) : 0
  return items[from + Math.floor(which * (items.length - from))]
}
