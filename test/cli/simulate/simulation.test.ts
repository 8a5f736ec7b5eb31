import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { JOINED_MS } from '../../../src/cli/log/runs.ts'
import { readLog } from '../../../src/cli/log/traffic.ts'
import type { Outcome } from '../../../src/cli/simulate/outcomes.ts'
import { pricesOf } from '../../../src/cli/simulate/prices.ts'
import { simulate } from '../../../src/cli/simulate/simulation.ts'
import type { Simulation, SimulationOptions } from '../../../src/cli/simulate/simulation.ts'
import { applyArrivals, flushTally } from '../../../src/core/events/arrived.ts'
import { forecastRow } from '../../../src/core/demand/forecast.ts'
import type { HistoryRow } from '../../../src/core/prefix/history.ts'
import { observedTraffic } from '../../../src/core/prefix/observed-traffic.ts'
import { trafficOf } from '../../../src/core/demand/traffic.ts'
import { leadMs } from '../../../src/core/time/latency.ts'
import { horizon, retentionFor } from '../../../src/core/planning/probe-policy.ts'
import { learnedRetention } from '../../../src/core/cache/retention.ts'
import { newState } from '../../../src/core/prefix/state.ts'
import type { PrefixState } from '../../../src/core/prefix/state.ts'
import { previewJson } from '../../../src/http/prefixes/preview.ts'
import { cards, modelFacts } from '../../../src/providers/registry.ts'
import { bytesOf, NOW } from '../support.ts'
import { dayOf, MINUTE_MS } from '../../../src/core/time/time.ts'

const START = Date.UTC(2026, 10, 2, 8)
const opus = pricesOf('anthropic', 'claude-opus-4-8', NOW)

/** 20,000 tokens of claude-opus-4-8 at $5 a million, by hand: writes at 1.25 and 2, reads at 0.1, one output token at $25. */
const TOKENS = 20_000
const READ = 10_000_000
const PROBE = READ + 25_000
const CLASSES = [
  { name: '5m', ttlMs: 5 * MINUTE_MS, write: 125_000_000 },
  { name: '1h', ttlMs: 60 * MINUTE_MS, write: 200_000_000 },
].map((one) => ({ ...one, everyMs: one.ttlMs - leadMs(one.ttlMs, 1_000), read: READ, probe: PROBE }))

async function simulated(csv: string, change: Partial<SimulationOptions> = {}): Promise<Simulation> {
  const log = await readLog(bytesOf(csv))
  return simulate(log, { prices: () => opus, tokens: null, latencyNanos: 0, top: 100, ...change })
}

const csvOf = (times: Record<string, readonly number[]>, tokens = TOKENS): string => {
  const rows = Object.entries(times).flatMap(([prefix, all]) => all.map((at) => `${prefix},${at},${tokens}`))
  return `prefix,time,tokens\n${rows.join('\n')}\n`
}

/** Reference simulation, request by request and probe by probe. `most` gives the limit of probes after the request at an instant. */
function byHand(times: readonly number[], endAt: number, one: (typeof CLASSES)[number], most: (at: number) => number) {
  const sorted = times.toSorted((a, b) => a - b)
  let [cost, cold, probes] = [0, 0, 0]
  let warmUntil = Number.NEGATIVE_INFINITY
  sorted.forEach((at, index) => {
    const hit = at <= warmUntil
    cost += hit ? READ : one.write
    cold += hit ? 0 : 1
    warmUntil = at + one.ttlMs
    const nextAt = sorted[index + 1] ?? endAt
    const allowed = most(at)
    for (let sent = 1; sent <= allowed && at + sent * one.everyMs < nextAt; sent++) {
      cost += PROBE
      probes += 1
      warmUntil = at + sent * one.everyMs + one.ttlMs
    }
  })
  return { cost, cold, probes }
}

/** A stored prefix with its history, after each of these requests was reported at its time. */
function product(times: readonly number[]): { state: PrefixState; rows: HistoryRow[] } {
  const { retentions } = modelFacts(cards[0]!, 'claude-opus-4-8', NOW)
  let state: PrefixState = {
    ...newState(START, dayOf(START), learnedRetention(retentions[0]!)),
    measuredTokens: TOKENS,
  }
  const rows: HistoryRow[] = []
  const usage = {
    inputTokens: TOKENS,
    uncachedTokens: 0,
    cacheReadTokens: 0,
    cacheWriteTokens: TOKENS,
    cacheWriteByRetention: {},
    outputTokens: 1,
    reasoningTokens: null,
  }
  for (const startedAt of times) {
    const arrived = applyArrivals(state, [{ startedAt, usage, ttftMs: null }], startedAt, 0, { offers: retentions })
    const tally = flushTally(arrived.state, startedAt, arrived.rows.length > 0)
    rows.push(...tally.rows, ...arrived.rows)
    state = tally.state
  }
  return { state, rows }
}

const find = (outcomes: readonly Outcome[] | undefined, plan: string, retention: string | null) => {
  const found = outcomes?.find((one) => one.plan === plan && one.retention === retention)
  if (found === undefined) throw new Error(`no outcome of ${plan} at ${retention}`)
  return { cost: found.costNanos, cold: found.coldStarts, probes: found.probes }
}

/** A handful of requests, in whole seconds, in any order. */
const someTimes = fc
  .array(fc.integer({ min: 0, max: 40_000 }), { minLength: 1, maxLength: 14 })
  .map((seconds) => seconds.map((second) => START + second * 1000))

describe('a log under every plan', () => {
  it('agrees with going through it request by request', async () => {
    await fc.assert(
      fc.asyncProperty(someTimes, async (times) => {
        const endAt = Math.max(...times)
        const { models } = await simulated(csvOf({ a: times }))
        for (const one of CLASSES) {
          const cap = Math.floor((one.write - READ) / PROBE)
          const rules = { nothing: 0, break_even: cap, always: Number.POSITIVE_INFINITY }
          for (const [plan, most] of Object.entries(rules)) {
            const hand = byHand(times, endAt, one, () => most)
            expect([plan, one.name, find(models[0]?.outcomes, plan, one.name)]).toEqual([plan, one.name, hand])
          }
        }
      }),
      { numRuns: 60 },
    )
  })

  it('asks the shipped planner at each idle gap, with what had been seen by then', async () => {
    await fc.assert(
      fc.asyncProperty(someTimes, async (times) => {
        const sorted = times.toSorted((a, b) => a - b)
        const { models } = await simulated(csvOf({ a: times }))
        for (const one of CLASSES) {
          const hand = byHand(times, sorted.at(-1) ?? 0, one, (at) => {
            const { state } = product(sorted.filter((other) => other <= at))
            return horizon(one, forecastRow(state, at), 0).probes
          })
          expect(find(models[0]?.outcomes, 'auto', one.name)).toEqual(hand)
        }
      }),
      { numRuns: 40 },
    )
  })

  it('says what the planner would pay if it chose the retention at each write', async () => {
    await fc.assert(
      fc.asyncProperty(someTimes, async (times) => {
        const sorted = times.toSorted((a, b) => a - b)
        const { models } = await simulated(csvOf({ a: times }))
        let [cost, cold] = [0, 0]
        let written = CLASSES[0]!
        let standing: string | undefined
        let warmUntil = Number.NEGATIVE_INFINITY
        let probes = 0
        sorted.forEach((at, index) => {
          const { state } = product(sorted.filter((other) => other <= at))
          if (at > warmUntil) {
            // The retention is chosen before this request changes the rate, except for its own count.
            const { holding } = retentionFor(CLASSES, forecastRow(state, at), 0, standing)!
            standing = holding.name
            written = CLASSES.find(({ name }) => name === standing)!
            cost += written.write
            cold += 1
          } else cost += READ
          warmUntil = at + written.ttlMs
          const nextAt = sorted[index + 1] ?? at
          const allowed = horizon(written, forecastRow(state, at), 0).probes
          for (let sent = 1; sent <= allowed && at + sent * written.everyMs < nextAt; sent++) {
            cost += PROBE
            probes += 1
            warmUntil = at + sent * written.everyMs + written.ttlMs
          }
        })
        expect(find(models[0]?.outcomes, 'auto_choosing', null)).toEqual({ cost, cold, probes })
      }),
      { numRuns: 40 },
    )
  })

  it('counts how many requests came, and not only the gaps between them', async () => {
    const burst = (from: number, count: number) => Array.from({ length: count }, (_, index) => from + index * 30_000)
    const days = Array.from({ length: 12 }, (_, day) => START + day * 31 * 60 * MINUTE_MS)
    const log = async (count: number) => readLog(bytesOf(csvOf({ a: days.flatMap((from) => burst(from, count)) })))
    const requestsIn = async (count: number) =>
      trafficOf((await log(count)).prefixes[0]!.runs.all(), NOW).last?.requests.counts[4] ?? 0
    const [few, many] = [await requestsIn(2), await requestsIn(100)]
    expect(many).toBeGreaterThan(40 * few)
  })

  it('bounds them by the cheapest of all ways to hold, to let go and to write', async () => {
    const tiny = fc.array(fc.integer({ min: 61, max: 15_000 }), { maxLength: 5 })
    await fc.assert(
      fc.asyncProperty(tiny, async (lengths) => {
        const times = lengths.reduce((all, length) => [...all, (all.at(-1) ?? START) + length * 1000], [START])
        const least = (index: number, held: number): number => {
          const length = (times[index + 1] ?? 0) - (times[index] ?? 0)
          if (index + 1 >= times.length) return 0
          const one = CLASSES[held]!
          const need = Math.max(0, Math.ceil((length - one.ttlMs) / one.everyMs))
          const hold = need * PROBE + READ + least(index + 1, held)
          if (length <= one.ttlMs) return hold
          return Math.min(hold, ...CLASSES.map(({ write }, next) => write + least(index + 1, next)))
        }
        const tried = Math.min(...CLASSES.map(({ write }, held) => write + least(0, held)))
        const { models } = await simulated(csvOf({ a: times }))
        expect(find(models[0]?.outcomes, 'clairvoyant', null).cost).toBe(tried)
      }),
      { numRuns: 60 },
    )
  })

  it('is the sum of its prefixes, and each cost the sum of its parts', async () => {
    const several = fc.dictionary(fc.constantFrom('a', 'b', 'c', 'd', 'e'), someTimes, { minKeys: 1 })
    await fc.assert(
      fc.asyncProperty(several, fc.integer({ min: 0, max: 5 }), async (times, top) => {
        const { models, total } = await simulated(csvOf(times), { top })
        const model = models[0]!
        expect(model.shown.length).toBe(Math.min(top, Object.keys(times).length))
        const lists = [
          ...model.shown.map(({ outcomes }) => outcomes),
          ...(model.rest === null ? [] : [model.rest.outcomes]),
        ]
        model.outcomes.forEach((sum, index) => {
          for (const member of [
            'costNanos',
            'coldStarts',
            'probes',
            'readsNanos',
            'writesNanos',
            'probesNanos',
          ] as const) {
            const parts = lists.reduce((all, outcomes) => all + (outcomes[index]?.[member] ?? Number.NaN), 0)
            expect([sum.plan, member, sum[member]]).toEqual([sum.plan, member, parts])
          }
          expect(sum.costNanos).toBe(sum.readsNanos + sum.writesNanos + sum.probesNanos)
        })
        expect(total.map(({ costNanos }) => costNanos)).toEqual(
          ['nothing', 'break_even', 'auto', 'always', 'auto_choosing', 'clairvoyant'].map(
            (plan) => model.outcomes.find((one) => one.plan === plan)?.costNanos,
          ),
        )
      }),
      { numRuns: 30 },
    )
  })

  it('says the same whatever the order of the rows', async () => {
    const times = [0, 3, 9, 200, 210, 4000].map((minute) => START + minute * MINUTE_MS)
    const forth = await simulated(csvOf({ a: times, b: times }))
    const back = await simulated(csvOf({ b: times.toReversed(), a: times.toReversed() }))
    expect(back.models[0]?.outcomes).toEqual(forth.models[0]?.outcomes)
  })

  it('says what POST /prefixes/{id}/preview says of the same gaps', async () => {
    const times = [0, 10, 30, 200, 260, 1700, 1710].map((minute) => START + minute * MINUTE_MS)
    const { models } = await simulated(csvOf({ a: times }))
    const lastAt = times.at(-1)!
    const { state, rows } = product(times)
    const traffic = observedTraffic(state, rows, lastAt)
    const record = {
      id: 'p',
      provider: 'anthropic',
      model: 'claude-opus-4-8',
      retention: '5m',
      outputFloors: [1],
      estimatedTokens: 1,
    }
    for (const plan of ['auto', 'always'] as const) {
      const keepWarm = { plan, untilAt: null, idleTimeoutMs: null, windows: [], budgetNanosPerDay: 1 }
      const { retentions } = previewJson({ record, state, traffic }, keepWarm, lastAt, 1_000)
      expect(retentions.map(({ retention }) => retention)).toEqual(['5m', '1h'])
      for (const { retention, plan: asked } of retentions) {
        const own = models[0]?.outcomes.find((one) => one.plan === plan && one.retention === retention)
        // The preview leaves out the first write, which no plan can avoid.
        expect([asked.probes, asked.cold_starts, asked.probes_usd]).toEqual([
          own?.probes,
          (own?.coldStarts ?? 0) - 1,
          (own?.probesNanos ?? 0) / 1e9,
        ])
      }
    }
  })

  it('charges the silence up to the end of the log', async () => {
    const { models } = await simulated(csvOf({ a: [START], b: [START, START + 12 * 60 * MINUTE_MS] }))
    const alone = models[0]?.shown.find(({ label }) => label === 'a')
    expect(find(alone?.outcomes, 'always', '1h').probes).toBe(12)
    expect(find(alone?.outcomes, 'nothing', '1h').probes).toBe(0)
  })

  it('holds longer where cold starts are worth avoiding', async () => {
    const times = Array.from({ length: 8 }, (_, index) => START + index * 130 * MINUTE_MS)
    const cold = async (latencyNanos: number) =>
      find((await simulated(csvOf({ a: times }), { latencyNanos })).models[0]?.outcomes, 'break_even', '5m').cold
    expect(await cold(0)).toBe(8)
    expect(await cold(1_000_000_000)).toBe(1)
  })
})

describe('sizes and prices of a log', () => {
  const one = (tokens: string, rest = '') => `prefix,time,tokens\na,1793606400,${tokens}\n${rest}`

  it('takes the mean of the rows, and says when they differ by more than two times', async () => {
    const { models } = await simulated(one('10000', 'a,1793606500,30000\na,1793606600,\n'))
    expect(models[0]?.shown[0]).toMatchObject({ tokens: 20_000, requests: 3 })
    expect(models[0]).toMatchObject({ uneven: 1, wholePrompts: 0 })
    const asked = await simulated(one('10000', 'a,1793606500,30000\n'), { tokens: 7000 })
    expect(asked.models[0]).toMatchObject({ uneven: 0, shown: [{ tokens: 7000 }] })
  })

  it('counts apart what is too small, of unknown size, or of unknown price, and nothing of it', async () => {
    const small = await simulated(one('1023'))
    expect(small).toMatchObject({ models: [], tooSmall: [{ prefixes: 1, requests: 1 }], total: [] })
    expect((await simulated(one('1024'))).models).toHaveLength(1)
    const unsized = await simulated(one(''))
    expect(unsized).toMatchObject({ models: [], unsized: { prefixes: 1, requests: 1 } })
    const prices = (provider: string | null, model: string | null) => pricesOf(provider, model, NOW)
    const unpriced = await simulated(one('20000'), { prices })
    expect(unpriced).toMatchObject({ models: [], unpriced: [{ why: 'the log names no model', requests: 1 }] })
  })

  it.each([
    ['anthropic', 'claude-opus-4-8', 'anthropic claude-opus-4-8'],
    ['anthropic', 'anthropic/claude-opus-4-8', 'anthropic claude-opus-4-8'],
    [null, 'claude-opus-4-8-20260801', 'anthropic claude-opus-4-8-20260801'],
    [null, 'openai/gpt-5.6-sol', 'openai gpt-5.6-sol'],
    ['gcp.gemini', 'gemini-2.5-pro', 'gemini gemini-2.5-pro'],
    ['azure.ai.openai', 'gpt-4o', 'azure-openai gpt-4o'],
    ['fireworks_ai', 'accounts/fireworks/models/kimi-k3', 'fireworks accounts/fireworks/models/kimi-k3'],
    ['anthropic', 'gpt-4o', 'no price is known for this model of this provider'],
    ['somebody', 'gpt-4o', 'this provider is unknown'],
    [null, 'house-model', 'no model vendor has a known price for it, and the log names no provider'],
    [null, null, 'the log names no model'],
  ])('finds the card of %s %s: %s', (provider, model, expected) => {
    const found = pricesOf(provider, model, NOW)
    expect('unknown' in found ? found.unknown : `${found.provider} ${found.model}`).toBe(expected)
  })

  it('gives the same price at every hour of a day', () => {
    const prices = Array.from({ length: 24 }, (_, hour) => {
      const found = pricesOf('deepseek', 'deepseek-v4-pro', Date.UTC(2026, 10, 23, hour))
      return 'unknown' in found ? null : found.facts.price?.inputNanosPerMTok
    })
    expect(new Set(prices).size).toBe(1)
    expect(prices[0]).toBeGreaterThan(0)
  })

  it('joins only requests that no retention of any card lapses between', () => {
    const shortest = cards.flatMap(({ models }) =>
      models.flatMap(({ facts }) => facts.retentions.map(({ ttlMs }) => ttlMs - leadMs(ttlMs, 1_000))),
    )
    expect(Math.min(...shortest)).toBeGreaterThan(JOINED_MS)
  })
})
