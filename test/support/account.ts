import { NOON, facts as sampleFacts, usage } from './sample.ts'
import { nodeSql } from './node-sql.ts'
import type { Lease, Outcome } from '../../src/calls/lease.ts'
import type { ModelFacts } from '../../src/core/model/facts.ts'
import { SWEEP_HORIZON_MS } from '../../src/core/time/schedule.ts'
import { MINUTE_MS } from '../../src/core/time/time.ts'
import type { ProbeSchedulerPorts } from '../../src/durable/registry/probes/context.ts'
import { ProbeScheduler } from '../../src/durable/registry/probes/scheduler.ts'
import { BodyCredentials } from '../../src/durable/registry/prefixes/body-credentials.ts'
import { PrefixLookup } from '../../src/durable/registry/prefixes/prefix-lookup.ts'
import { Registrar } from '../../src/durable/registry/prefixes/registrar.ts'
import type { AccountSettings } from '../../src/durable/registry/records/account.ts'
import { RegistryStore } from '../../src/durable/registry/tables/tables.ts'
import type { Sql } from '../../src/durable/sql.ts'

type Answered = Extract<Outcome, { kind: 'answered' }>
type Failed = Extract<Outcome, { kind: 'failed' }>

/** Settings of an account without a budget and with every switch off. */
export const settings: AccountSettings = {
  account: 'test',
  createdAt: NOON,
  budgetNanosPerDay: null,
  killSwitch: false,
  globalKillSwitch: false,
  allowedSecrets: [],
}

export interface TestAccountOptions extends Pick<
  ProbeSchedulerPorts,
  'generationOf' | 'placeOf' | 'timeoutOf' | 'isKnown'
> {
  /** One real second on the account's clock; 1,000 by default. */
  grainMs?: number
  /** Database; an empty one by default. */
  sql?: Sql
  settings?: Partial<AccountSettings>
  /** Facts of every model, or a function that finds them; the sample facts by default. */
  facts?: ModelFacts | ProbeSchedulerPorts['factsOf']
}

/** A call that `run` answered. */
export interface SentCall {
  k: number
  at: number
  purpose: Lease['purpose']
}

export interface RunOptions {
  /** Interval of the sweeps; a minute by default, as the cron trigger has it. */
  everyMs?: number
  /** Answer of the provider at an instant; by default a keep-alive reads 10,000 tokens and a write writes them. */
  answer?: (lease: Lease, at: number) => Outcome
}

/** The parts of one Registry that keep prefixes warm, over one database and without a Durable Object around them. */
export class TestAccount {
  readonly sql: Sql
  readonly settings: AccountSettings
  readonly #ports: ProbeSchedulerPorts
  store: RegistryStore
  scheduler: ProbeScheduler
  registrar: Registrar

  constructor({ sql = nodeSql(), settings: change = {}, facts = sampleFacts, ...ports }: TestAccountOptions) {
    this.sql = sql
    this.settings = { ...settings, ...change }
    this.#ports = { factsOf: typeof facts === 'function' ? facts : () => facts, grainMs: 1_000, ...ports }
    ;[this.store, this.scheduler, this.registrar] = this.#parts()
  }

  /** Builds every part from the tables again, as the object does after an eviction. */
  evict(): void {
    ;[this.store, this.scheduler, this.registrar] = this.#parts()
  }

  #parts(): [RegistryStore, ProbeScheduler, Registrar] {
    const store = new RegistryStore(this.sql)
    const scheduler = new ProbeScheduler(store, this.#ports, this.settings)
    const lookup = new PrefixLookup(store, this.#ports.factsOf)
    const credentials = new BodyCredentials(store, this.settings.account, {})
    return [store, scheduler, new Registrar(store, scheduler, this.#ports, { lookup, credentials })]
  }

  /** Lease of a requested warm. Throws where the scheduler gives none. */
  leaseNow(k: number, at: number): Lease {
    const given = this.scheduler.warmNow(k, at)
    if (given === null || 'refused' in given) throw new Error('no lease was given')
    return given.lease
  }

  /** Sweeps from `fromAt` until just before `toAt`, and answers every call. Returns the calls in their order. */
  run(fromAt: number, toAt: number, { everyMs = MINUTE_MS, answer = readOrWritten }: RunOptions = {}): SentCall[] {
    const sent: SentCall[] = []
    for (let at = fromAt; at < toAt; at += everyMs)
      for (const { seq, delayMs } of this.scheduler.sweep(at, at + SWEEP_HORIZON_MS).messages) {
        const now = at + delayMs
        const outcomes = this.scheduler.begin(seq, now).map((lease) => {
          const sentAt = Math.max(now, lease.notBeforeAt)
          sent.push({ k: lease.k, at: sentAt, purpose: lease.purpose })
          return answer(lease, sentAt)
        })
        this.scheduler.settle(seq, outcomes, now + 400)
      }
    return sent
  }
}

export function testAccount(options: TestAccountOptions = {}): TestAccount {
  return new TestAccount(options)
}

/** Outcome of a call that a provider answered after 300 ms; `read` and `write` are the cached tokens it reports. */
export function answered(
  { id, k, primitive }: Lease,
  startedAt: number,
  read: number | null,
  write: number | null,
  change: Partial<Answered> = {},
): Answered {
  const call = { lease: id, k, startedAt, latencyMs: 300, primitive }
  return { ...call, kind: 'answered', usage: usage(read, write), model: 'sample-1', ...change }
}

/** Outcome of a call that a provider refused with a server error after 100 ms. */
export function failed({ id, k, primitive }: Lease, startedAt: number, change: Partial<Failed> = {}): Failed {
  return {
    lease: id,
    k,
    kind: 'failed',
    startedAt,
    latencyMs: 100,
    primitive,
    failure: { kind: 'provider_unavailable', message: 'down' },
    accepted: false,
    permanent: false,
    primitiveRefused: false,
    retryAfterMs: null,
    ...change,
  }
}

function readOrWritten(lease: Lease, at: number): Outcome {
  return lease.purpose === 'keep' ? answered(lease, at, 10_000, 0) : answered(lease, at, 0, 10_000)
}
