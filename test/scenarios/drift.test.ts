import { describe, expect, it } from 'vitest'
import type { DecisionRow, HistoryRow, ReceiptRow } from '../../src/core/prefix/history.ts'
import { HOUR_MS, MINUTE_MS, SECOND_MS } from '../../src/core/time/time.ts'
import { DEFAULT_KEEP_WARM } from '../../src/registration/registration.ts'
import { DeployedProvider } from './deployed-provider.ts'
import type { Deploy } from './deployed-provider.ts'
import { goodDay, START_AT } from './settings.ts'
import { FIVE_MINUTES, World } from './world.ts'

const PREFIXES = 20
const TOKENS = 4_200
const DEPLOY_AT = START_AT + 2 * HOUR_MS
const LASTS_MS = 6 * HOUR_MS

/** A prefix after the scenario, with the requests that no longer began with it. */
interface Outcome {
  view: ReturnType<World['registrar']['viewByKey']>
  history: HistoryRow[]
  sent: number[]
}

/** Prefixes that are kept warm while real requests come, whose prompt a deploy changes. Only counts are reported. */
function deployed(deploy: Partial<Deploy>, seed = 1, plan: 'always' | 'auto' = 'always') {
  let provider: DeployedProvider | null = null
  const made: Deploy = { at: DEPLOY_AT, moreTokens: 0, everyTime: false, ...deploy }
  const world = new World({
    ...goodDay(seed),
    kinds: [FIVE_MINUTES],
    prefixes: PREFIXES,
    tokens: TOKENS,
    arrivalsAnHour: 30,
    keepWarm: { ...DEFAULT_KEEP_WARM, plan },
    makeProvider: (entries, faults, die) => (provider = new DeployedProvider(entries, faults, die, made)),
  })
  let falselyWarm = 0
  for (let at = START_AT; at <= START_AT + LASTS_MS; at += 30 * SECOND_MS) {
    world.runFor(at - START_AT)
    for (let k = 1; k <= PREFIXES; k++) {
      if (world.store.prefixes.record(k) === null) continue
      const { state } = world.registrar.viewByKey(k, at).belief
      if (state === 'warm' && !world.provider.isWarm(k - 1, at)) falselyWarm += 1
    }
  }
  const sent = (provider as DeployedProvider | null)?.sent ?? []
  const outcomes = Array.from({ length: PREFIXES }, (_, index): Outcome => {
    const view = world.registrar.viewByKey(index + 1, world.now)
    return {
      view,
      history: world.registrar.history(view.record.id, world.now),
      sent: sent.flatMap(({ prefix, at }) => (prefix === index ? [at] : [])),
    }
  })
  return { outcomes, falselyWarm }
}

const decisions = (history: readonly HistoryRow[], decision: string): DecisionRow[] =>
  history.filter((row): row is DecisionRow => row.type === 'decision' && row.decision === decision)
const keeps = (history: readonly HistoryRow[]): ReceiptRow[] =>
  history.filter((row): row is ReceiptRow => row.type === 'receipt' && row.purpose === 'keep')

describe.each([
  ['one word, with as many tokens', {}],
  ['one word, with three tokens more', { moreTokens: 3 }],
  ['a timestamp in front', { everyTime: true, moreTokens: 5 }],
] as const)('a deploy that changes %s', (_, deploy) => {
  const { outcomes, falselyWarm } = deployed(deploy)

  it('is told by the first call of ours after a miss, and until then as evicted or changed', () => {
    for (const { history, sent, view } of outcomes) {
      const [suspected] = decisions(history, 'evicted_or_changed')
      const [shown] = decisions(history, 'drifted')
      expect(suspected?.at).toBe(sent[0])
      const next = keeps(history).find(({ at }) => at > (sent[0] ?? 0))
      expect(next).toMatchObject({ kind: 'full' })
      expect(shown?.at).toBe(next?.at)
      expect(view.state.drift?.shown).toMatchObject({ by: 'probe' })
    }
  })

  it('ends no entry and shortens no life, and no probe comes before its time', () => {
    for (const { history, view } of outcomes) {
      expect(keeps(history).filter(({ kind }) => kind !== 'full')).toEqual([])
      expect(decisions(history, 'retention')).toEqual([])
      expect(view.state.retention).toMatchObject({ ttlMs: FIVE_MINUTES.ttlMs })
      expect(view.state.retention).not.toHaveProperty('earlyMisses')
      const times = keeps(history)
        .map(({ at }) => at)
        .filter((at) => at > DEPLOY_AT + 10 * MINUTE_MS)
      expect(times.length).toBeGreaterThan(40)
      times.slice(1).forEach((at, n) => expect(at - (times[n] ?? 0)).toBeGreaterThan(4 * MINUTE_MS))
    }
  })

  it('counts no hit and moves no clock', () => {
    for (const { history, view } of outcomes) {
      expect(view.state.lastHit?.at ?? 0).toBeLessThan(DEPLOY_AT)
      expect(view.state.anchorAt).toBe(keeps(history).at(-1)?.at)
    }
    expect(falselyWarm).toBe(0)
  })
})

describe('a deploy that makes the prompt shorter', () => {
  const { outcomes } = deployed({ moreTokens: -1_200 })

  it('is told at the third request', () => {
    for (const { history, sent } of outcomes) {
      const shown = decisions(history, 'drifted')
      expect(shown.map(({ at }) => at)).toEqual([sent[2]])
      expect(shown[0]?.why).toContain('they read and write 3000 tokens, and the prefix has 4200')
    }
  })
})

describe('a deploy that is taken back', () => {
  const { outcomes } = deployed({ moreTokens: -1_200, backAt: DEPLOY_AT + 2 * HOUR_MS })

  it('is over after three requests, and hits count again', () => {
    for (const { history, view } of outcomes) {
      expect(decisions(history, 'drift_ended')).toHaveLength(1)
      expect(view.state.drift).toBeUndefined()
      expect(view.state.lastHit?.at ?? 0).toBeGreaterThan(DEPLOY_AT + 3 * HOUR_MS)
    }
  })
})

describe('under plan auto', () => {
  it('nothing is spent for long on a prefix that requests no longer begin with', () => {
    const { outcomes } = deployed({}, 2, 'auto')
    for (const { history } of outcomes) {
      const last = keeps(history).at(-1)?.at ?? 0
      expect(last).toBeLessThan(DEPLOY_AT + 2 * HOUR_MS)
    }
  })
})

describe('without a deploy', () => {
  it.each([1, 2, 3])('no drift is suspected and hits count (seed %i)', (seed) => {
    const { outcomes } = deployed({ at: Number.POSITIVE_INFINITY }, seed)
    for (const { history, view } of outcomes) {
      expect([...decisions(history, 'evicted_or_changed'), ...decisions(history, 'drifted')]).toEqual([])
      expect(view.state).toMatchObject({ misses: 0 })
      expect(view.state.hits).toBeGreaterThan(100)
    }
  })
})
