import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { worstNanosAt } from '../../src/core/planning/budget.ts'
import { breakEvenProbes, readNanos, usd, writeNanos } from '../../src/core/model/price.ts'
import { CAUTIOUS, leadMs } from '../../src/core/time/latency.ts'
import { applyAnswer } from '../../src/core/events/answered.ts'
import { applyArrivals } from '../../src/core/events/arrived.ts'
import { learnedRetention } from '../../src/core/cache/retention.ts'
import * as schedule from '../../src/core/time/schedule.ts'
import { ENTRIES_PER_MESSAGE } from '../../src/durable/registry/probes/sweep.ts'
import { cardById, modelFacts } from '../../src/providers/registry.ts'
import { newState } from '../../src/core/prefix/state.ts'
import { lossAt, lossLimit } from '../../src/core/ledger/stop-loss.ts'
import { ENTRY_DAYS, LEDGER_DAYS } from '../../src/http/server/days.ts'
import { context, facts, fiveMinutes, usage } from '../support/sample.ts'
import { names, readText, root, section, tableRows } from './documents.ts'
import { HOUR_MS, MINUTE_MS } from '../../src/core/time/time.ts'

const constants: Record<string, unknown> = { ...schedule }
const planner = readText('docs/planner.md')
const operations = readText('docs/operations.md')
const cadence = (ttlMs: number): number => ttlMs - leadMs(ttlMs, 1_000)

describe('docs/architecture.md', () => {
  const text = readText('docs/architecture.md')

  it('states durations as they are in the code', () => {
    const rows = tableRows(section(text, 'Claims and leases')).filter(([, , name]) => names(name)[0] !== 'leadMs')
    expect(rows.length).toBeGreaterThan(6)
    for (const [, value, name] of rows) {
      const constant = constants[names(name)[0] ?? '']
      expect([name, Number(/^([\d.]+) s$/.exec(value ?? '')?.[1]) * 1_000]).toEqual([name, constant])
    }
  })

  it('states the lead as it is', () => {
    const lead = tableRows(section(text, 'Claims and leases')).find(([, , name]) => names(name)[0] === 'leadMs')?.[1]
    const [first, most] =
      /(\d+) s at first, .* at most (\d+) s/
        .exec(lead ?? '')
        ?.slice(1)
        .map(Number) ?? []
    expect(leadMs(5 * MINUTE_MS, 1_000)).toBe((first ?? 0) * 1_000)
    expect(leadMs(12 * 60 * MINUTE_MS, 1_000)).toBe((first ?? 0) * 1_000)
    expect(leadMs(12 * 60 * MINUTE_MS, 1_000, { ...CAUTIOUS, lateMs: HOUR_MS })).toBe((most ?? 0) * 1_000)
    expect(leadMs(30_000, 1_000)).toBe(10_000)
  })

  it('states how many entries share a message', () => {
    expect(text).toContain(`at most ${ENTRIES_PER_MESSAGE} entries`)
  })
})

describe('docs/planner.md', () => {
  it('shows the table that its command prints', () => {
    const { stdout, status } = spawnSync(process.execPath, [join(root, 'examples/break-even.mjs')], {
      encoding: 'utf8',
    })
    expect(status).toBe(0)
    expect(planner).toContain(stdout)
  })

  it('computes its example by hand as the code does', () => {
    const { price } = modelFacts(cardById('anthropic')!, 'claude-opus-4-8', Date.UTC(2026, 10, 21))
    if (price === null) throw new Error('the example has no price')
    const write = writeNanos(20_000, 0, price, '5m') ?? 0
    const read = readNanos(20_000, 0, price)
    const probes = breakEvenProbes(20_000, 1, price, '5m') ?? 0
    const results = tableRows(section(planner, 'Break-even, by hand').split('| Provider |')[0] ?? '').map(
      (row) => row[2],
    )
    const heldMs = probes * cadence(5 * MINUTE_MS) + 5 * MINUTE_MS
    expect(results).toEqual([
      `$${usd(write).toFixed(3)}`,
      `$${usd(read).toFixed(3)}`,
      `$${usd(write - read).toFixed(3)}`,
      `$${usd(readNanos(20_000, 1, price))}`,
      String(probes),
      `${Math.floor(heldMs / MINUTE_MS)} min ${(heldMs % MINUTE_MS) / 1_000} s`,
    ])
    expect(planner).toContain(
      `every ${Math.floor(cadence(5 * MINUTE_MS) / MINUTE_MS)} min ${(cadence(5 * MINUTE_MS) % MINUTE_MS) / 1_000} s`,
    )
    // As a dry run counts them: whole probes.
    const perDay = (ttlMs: number): number => Math.floor((24 * 60 * MINUTE_MS) / cadence(ttlMs))
    expect(planner).toContain(`renewed ${perDay(60 * MINUTE_MS)} times a\n  day and not ${perDay(5 * MINUTE_MS)} times`)
    expect(planner).toContain(`${perDay(5 * MINUTE_MS)} probes at 5m to save twelve at the most`)
    expect(planner).toContain(`to hold the hour for a day takes ${perDay(60 * MINUTE_MS)}, which are 2.4`)
    expect(planner).toContain(`would take ${perDay(60 * MINUTE_MS)} probes to save one write`)
    const carefully = breakEvenProbes(20_000, 1, price, '1h')
    const withoutOutput = breakEvenProbes(20_000, 0, price, '1h')
    expect(planner).toContain(`at 1h gets ${carefully} probes\nhere, and ${withoutOutput} (`)
  })

  it('computes what a budget has to hold as the planner does', () => {
    const opus = modelFacts(cardById('anthropic')!, 'claude-opus-4-8', Date.UTC(2026, 10, 21))
    const given = { facts: opus, estimatedTokens: 20_000, outputFloor: 0 }
    const worst = (measuredTokens: number | null) => worstNanosAt('1h', { measuredTokens }, given) ?? 0
    const text = section(planner, 'What a budget has to hold')
    expect(text).toContain(`they reserve about $${usd(worst(null)).toFixed(2)}.`)
    expect(text).toContain(`1.05 times the count: $${usd(worst(20_000)).toFixed(2)} here`)
    if (opus.price === null) throw new Error('the example has no price')
    const probe = readNanos(20_000, 0, opus.price)
    let sent = 0
    while (sent * probe + worst(20_000) <= worst(null)) sent++
    expect(text).toContain(`then lets ${sent} probes of $${usd(probe).toFixed(2)} through`)
  })
})

describe('docs/ledger.md', () => {
  const rows = tableRows(section(readText('docs/ledger.md'), 'By hand'))
  const nanos = (cell: string | undefined): number => Math.round(Number(/\$([\d.]+)/.exec(cell ?? '')?.[1] ?? 0) * 1e9)

  it('reckons its example as the code does', () => {
    const price = modelFacts(cardById('anthropic')!, 'claude-opus-4-8', Date.UTC(2026, 10, 21)).price
    if (price === null) throw new Error('the example has no price')
    const sample = { ...facts, price }
    const where = context({ facts: sample })
    const clock = (text: string | undefined): number => Date.parse(`2026-11-21T${text}Z`)
    const start = clock(rows[0]?.[0])
    let state = newState(start, '2026-11-21', learnedRetention(fiveMinutes))
    for (const [at, what = '', cost, saved] of rows.slice(0, -1)) {
      const startedAt = clock(at)
      const before = state
      if (what.startsWith('real request')) {
        const tokens = { ...usage(20_000, 0), uncachedTokens: 0 }
        state = applyArrivals(state, [{ startedAt, usage: tokens, ttftMs: null }], startedAt, start, {
          offers: [fiveMinutes],
          price,
        }).state
      } else {
        const purpose = what === 'first write' ? ('write' as const) : ('keep' as const)
        const [read, written] = purpose === 'write' ? [0, 20_000] : [20_000, 0]
        const counted = { ...usage(read ?? 0, written ?? 0), uncachedTokens: 0 }
        const answer = {
          startedAt,
          latencyMs: 1,
          purpose,
          primitive: 'zero_output' as const,
          usage: counted,
          model: null,
        }
        state = applyAnswer(state, answer, where, null).state
      }
      expect([at, state.costNanos - before.costNanos, state.savedNanos - before.savedNanos]).toEqual([
        at,
        nanos(cost),
        nanos(saved),
      ])
    }
    const sums = rows.at(-1) ?? []
    expect([state.costNanos, state.savedNanos]).toEqual([nanos(sums[2]), nanos(sums[3])])
    expect(readText('docs/ledger.md')).toContain(
      `Net is saved less cost: −$${usd(state.costNanos - state.savedNanos).toFixed(3)}.`,
    )
  })

  it('states the tripwire as it is', () => {
    const text = section(readText('docs/ledger.md'), 'The tripwire')
    const limit = lossLimit(10_000, learnedRetention(fiveMinutes), facts.price) ?? 0
    const rewrite = (writeNanos(10_000, 0, facts.price!, '5m') ?? 0) - readNanos(10_000, 0, facts.price!)
    expect(limit / rewrite).toBe(3)
    expect(text).toContain('three times *write − read*')
    expect(lossAt({ nanos: 8, at: 0 }, 7 * 24 * 60 * MINUTE_MS)).toBe(4)
    expect(text).toContain('fades by half in seven days')
  })

  it('states the ages as they are', () => {
    expect([ENTRY_DAYS, LEDGER_DAYS]).toEqual([7, 400])
  })
})

describe('docs/operations.md', () => {
  it('computes what the Free plan holds from the times of probes', () => {
    const minutes = [5, 30, 60]
    const messages = Math.floor(10_000 / 3)
    const rows = tableRows(section(operations, 'The Free plan')).filter((row) => row.length === 4)
    expect(rows.map(([, ...cells]) => cells)).toEqual(
      minutes.map((minute) => {
        const everyMs = cadence(minute * MINUTE_MS)
        const perDay = (24 * 60 * MINUTE_MS) / everyMs
        return [`${(everyMs / 1_000).toLocaleString('en')} s`, perDay.toFixed(1), String(Math.floor(messages / perDay))]
      }),
    )
    expect(operations).toContain(`${messages.toLocaleString('en')} messages`)
  })

  it('names every queue and every secret that a deployment needs', () => {
    const toml = readText('wrangler.toml')
    for (const [, queue] of toml.matchAll(/^queue = "(pilotlight-staging-probes)"$/gm))
      expect(operations).toContain(queue)
    for (const name of ['ADMIN_KEY', 'ANTHROPIC_API_KEY', 'OPENAI_API_KEY', 'GEMINI_API_KEY'])
      expect(operations).toContain(`npx wrangler secret put ${name} --env staging`)
    expect(toml).toContain('[env.staging]')
  })

  it('names metrics that exist', () => {
    const known = new Set(
      [...readText('src/http/deployment/metrics.ts').matchAll(/'(pilotlight_\w+)'/g)].map(([, name]) => name),
    )
    const named = [...operations.matchAll(/\bpilotlight_\w+/g)].map(([name]) => name)
    expect(named.length).toBeGreaterThan(5)
    expect(named.filter((name) => !known.has(name))).toEqual([])
  })
})
