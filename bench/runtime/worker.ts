import { DurableObject } from 'cloudflare:workers'
import { SLOT_MS } from '../../src/core/time/schedule.ts'
import { newState } from '../../src/core/prefix/state.ts'
import { learnedRetention } from '../../src/core/cache/retention.ts'
import { ProbeScheduler } from '../../src/durable/registry/probes/scheduler.ts'
import { DEFAULT_KEEP_WARM } from '../../src/registration/registration.ts'
import { BodyCredentials } from '../../src/durable/registry/prefixes/body-credentials.ts'
import { PrefixLookup } from '../../src/durable/registry/prefixes/prefix-lookup.ts'
import { Registrar } from '../../src/durable/registry/prefixes/registrar.ts'
import { rememberFacts } from '../../src/durable/registry/facts-cache.ts'
import { RegistryStore } from '../../src/durable/registry/tables/tables.ts'
import { durableSql } from '../../src/durable/sql.ts'
import type { RowCount } from '../../src/durable/sql.ts'
import { factsOf } from '../../src/runtime/facts.ts'
import type { Lease, Outcome } from '../../src/calls/lease.ts'
import type { AccountSettings } from '../../src/durable/registry/records/account.ts'

interface BenchEnv {
  BENCH: DurableObjectNamespace<Bench>
}

const START_AT = Date.UTC(2026, 10, 21)
const TTL_MS = 300_000
/** Rounds until the lead before a lapse is learned. Until then it changes, and due instants move. */
const LEARNING_ROUNDS = 40
const SETTINGS: AccountSettings = {
  account: 'bench',
  createdAt: START_AT,
  budgetNanosPerDay: null,
  killSwitch: false,
  globalKillSwitch: false,
  allowedSecrets: [],
}

export interface Rows {
  probes: number
  written: number
  read: number
  /** Rows written in `sweep`; `begin` and `settle` likewise. */
  sweep: number
  begin: number
  settle: number
}

/** The scheduler on the tables of a Durable Object, at instants that the bench chooses. */
export class Bench extends DurableObject<BenchEnv> {
  readonly #count: RowCount = { read: 0, written: 0 }
  readonly #store = new RegistryStore(durableSql(this.ctx.storage, this.#count))
  readonly #ports = { factsOf: rememberFacts(factsOf), grainMs: 1_000 }
  readonly #scheduler = new ProbeScheduler(this.#store, this.#ports, SETTINGS)
  readonly #registrar = new Registrar(this.#store, this.#scheduler, this.#ports, {
    lookup: new PrefixLookup(this.#store, this.#ports.factsOf),
    credentials: new BodyCredentials(this.#store, 'bench', {}),
  })

  /**
   * Counts the rows of `rounds` keep-alives of every prefix. Before that it registers `perMessage` prefixes in each of `slots` slots,
   * and renews them until the lead is learned. A message is settled in `settlements` parts.
   */
  rows(perMessage: number, slots: number, settlements: number, rounds: number): Rows {
    for (let slot = 0; slot < slots; slot++) {
      for (let n = 0; n < perMessage; n++) {
        // The slots are far enough apart that each stays a separate message.
        const at = START_AT + slot * 10 * SLOT_MS
        const { k } = this.#registrar.register(registration(`${slot}-${n}`), at)
        const given = this.#scheduler.warmNow(k, at)
        if (given === null || !('lease' in given)) throw new Error('the first write was refused')
        this.#scheduler.settle(given.lease.seq, [answered(given.lease, at, false)], at + 600)
      }
    }
    const none: Rows = { probes: 0, written: 0, read: 0, sweep: 0, begin: 0, settle: 0 }
    let rows = { ...none }
    const step = <Result>(name: 'sweep' | 'begin' | 'settle', work: () => Result): Result => {
      const { read, written } = this.#count
      const result = work()
      this.#store.nextAt() // the product reads this after every step to set the alarm
      rows.read += this.#count.read - read
      rows.written += this.#count.written - written
      rows[name] += this.#count.written - written
      return result
    }
    let now = START_AT
    const learnedAt = START_AT + LEARNING_ROUNDS * TTL_MS
    const endAt = learnedAt + rounds * TTL_MS
    while (now < endAt) {
      if (now < learnedAt) rows = { ...none }
      const horizonAt = now + 65_000
      const { messages } = step('sweep', () => this.#scheduler.sweep(now, horizonAt))
      for (const { seq, delayMs } of messages) {
        const at = now + delayMs + 1_000
        const leases = step('begin', () => this.#scheduler.begin(seq, at))
        const size = Math.ceil(leases.length / settlements)
        for (let first = 0; first < leases.length; first += size) {
          const part = leases.slice(first, first + size).map((lease) => answered(lease, at, true))
          rows.probes += part.length
          step('settle', () => this.#scheduler.settle(seq, part, at + 1_000))
        }
      }
      now += 60_000
    }
    return rows
  }

  /** Writes `prefixes` schedule rows, `perSlot` due in each slot. Returns the size of the state text. */
  fill(prefixes: number, perSlot: number): number {
    const offer = factsOf('anthropic', 'claude-sonnet-4-6', START_AT).retentions[0]
    if (offer === undefined) throw new Error('the model has no retention')
    const text = JSON.stringify({ ...newState(START_AT, '2026-11-21', learnedRetention(offer)), nextAt: START_AT })
    const slots = prefixes / perSlot
    const { sql } = this.ctx.storage
    const part = 50_000
    for (let from = 0; from < prefixes; from += part) {
      sql.exec(
        `WITH RECURSIVE n(k) AS (SELECT ?1 UNION ALL SELECT k + 1 FROM n WHERE k < ?2 - 1)
         INSERT INTO state (k, next_at, state) SELECT k + 1, ?3 + (k * 7919 % ?4) * ?5, ?6 FROM n`,
        from,
        from + part,
        START_AT,
        slots,
        SLOT_MS,
        text,
      )
    }
    for (let slot = 0; slot < slots; slot++) {
      const ks: number[] = []
      // 7919 is coprime to the number of slots, so the prefixes of each slot are scattered over the table.
      for (let turn = 0; turn < perSlot; turn++) ks.push(this.#scattered(slot, slots) + turn * slots + 1)
      sql.exec('INSERT INTO slot VALUES (?, ?)', START_AT + slot * SLOT_MS, ks.join(','))
    }
    return text.length
  }

  #inverse = 0

  /** Returns the k below `slots` with k × 7919 mod slots = slot. */
  #scattered(slot: number, slots: number): number {
    if (this.#inverse === 0) while ((this.#inverse * 7919) % slots !== 1) this.#inverse += 1
    return (slot * this.#inverse) % slots
  }

  /** Claims the prefixes of `slots` slots, `times` times. Returns the number and the milliseconds of each claim. */
  claim(slots: number, times: number): { claimed: number; ms: number }[] {
    const taken = []
    for (let turn = 0; turn < times; turn++) {
      const now = START_AT + turn * slots * SLOT_MS
      const from = performance.now()
      const { messages } = this.#scheduler.sweep(now, now + slots * SLOT_MS - 1)
      const ms = performance.now() - from
      const claimed = messages.reduce((sum, { seq }) => sum + (this.#store.claims.load(seq)?.entries.length ?? 0), 0)
      for (const { seq } of messages) this.#store.claims.delete(seq)
      taken.push({ claimed, ms })
    }
    return taken
  }

  databaseBytes(): number {
    return this.ctx.storage.sql.databaseSize
  }
}

function registration(tag: string) {
  return {
    fingerprint: tag.padEnd(64, '-'),
    provider: 'anthropic',
    model: 'claude-sonnet-4-6',
    name: null,
    credential: 'default',
    cacheKey: null,
    retention: '5m',
    breakpoint: { path: 'system[0]', byte: 2 },
    estimatedTokens: 2_000,
    bodyBytes: 2,
    advice: [],
    keepWarm: { ...DEFAULT_KEEP_WARM, plan: 'always' as const },
    maxOutputTokens: null,
    outputFloors: [1],
    primitives: ['zero_output' as const],
    body: new Uint8Array([123, 125]),
  }
}

function answered(lease: Lease, startedAt: number, read: boolean): Outcome {
  return {
    lease: lease.id,
    k: lease.k,
    kind: 'answered',
    startedAt,
    latencyMs: 600,
    primitive: lease.primitive,
    model: lease.model,
    usage: {
      inputTokens: 2_004,
      uncachedTokens: 4,
      cacheReadTokens: read ? 2_000 : 0,
      cacheWriteTokens: read ? 0 : 2_000,
      cacheWriteByRetention: read ? {} : { '5m': 2_000 },
      outputTokens: 0,
      reasoningTokens: 0,
    },
  }
}

export default {
  async fetch(request, env) {
    const { pathname, searchParams } = new URL(request.url)
    const number = (name: string): number => Number(searchParams.get(name))
    const bench = env.BENCH.getByName(searchParams.get('name') ?? 'bench')
    switch (pathname) {
      case '/rows':
        return Response.json(await bench.rows(number('per'), number('slots'), number('settlements'), number('rounds')))
      case '/fill':
        return Response.json(await bench.fill(number('prefixes'), number('per')))
      case '/claim':
        return Response.json(await bench.claim(number('slots'), number('times')))
      case '/bytes':
        return Response.json(await bench.databaseBytes())
      default:
        return new Response('no such bench', { status: 404 })
    }
  },
} satisfies ExportedHandler<BenchEnv>
