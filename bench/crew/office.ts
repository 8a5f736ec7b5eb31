import { newSettings } from '../../src/durable/registry/records/account.ts'
import { Crews } from '../../src/durable/registry/warming/crews.ts'
import { SingleFlight } from '../../src/durable/registry/warming/single-flight.ts'
import { ProbeScheduler } from '../../src/durable/registry/probes/scheduler.ts'
import type { Message } from '../../src/durable/registry/records/claim.ts'
import { BodyCredentials } from '../../src/durable/registry/prefixes/body-credentials.ts'
import { PrefixLookup } from '../../src/durable/registry/prefixes/prefix-lookup.ts'
import { Registrar } from '../../src/durable/registry/prefixes/registrar.ts'
import { RegistryStore } from '../../src/durable/registry/tables/tables.ts'
import { warmBody } from '../../src/contract/warm.ts'
import { RawJson } from '../../src/contract/raw-json.ts'
import type { CrewStrategy } from '../../src/core/fan-out/crew.ts'
import { crewJson } from '../../src/http/present/crew.ts'
import { orderOf } from '../../src/http/preload/crew-order.ts'
import { withHeadsInText } from '../../src/http/preload/heads-in-text.ts'
import { withMarkers } from '../../src/providers/prefix/with-markers.ts'
import { cardById } from '../../src/runtime/cards.ts'
import { prepareWarm } from '../../src/registration/prepare.ts'
import { runLease } from '../../src/calls/probe.ts'
import { unpack } from '../../src/runtime/bytes.ts'
import type { Clock } from '../../src/runtime/clock.ts'
import type { Vars } from '../../src/runtime/env.ts'
import { factsOf } from '../../src/runtime/facts.ts'
import { nodeSql } from '../../test/support/node-sql.ts'
import type { VirtualTime } from './virtual-time.ts'
import type { Lease } from '../../src/calls/lease.ts'

export const VARS = {
  ENVIRONMENT: 'development',
  LAB_URL: 'http://lab.test',
  LAB_PROVIDERS: 'anthropic,openai,openai-chat,gemini,bedrock,vllm',
} as unknown as Vars

const SECRETS = ['ANTHROPIC_API_KEY', 'OPENAI_API_KEY', 'GEMINI_API_KEY', 'AWS_BEARER_TOKEN_BEDROCK', 'VLLM_API_KEY']

/** An agent as `POST /preload` takes it: `request` is a native body, and without one the members are the neutral form. */
export type OfficeAgent = { provider: string; request?: unknown } & Record<string, unknown>

/** Preloads one crew in an office of its own. */
export async function preloaded(
  time: VirtualTime,
  agents: readonly OfficeAgent[],
  strategy: CrewStrategy,
  atOnce: number,
) {
  const office = officeAt(time)
  const done = await office.preload(agents, strategy, atOnce)
  office.close()
  return done
}

/** Runs the shipped preload (tables, decisions and calls) without the platform. Queue messages arrive at once. */
export function officeAt(time: VirtualTime) {
  const clock: Clock = {
    now: time.now,
    sleep: time.sleep,
    rate: 1,
    grainMs: 1_000,
    realMs: (ms) => ms,
    realAt: (at) => at,
  }
  const sql = nodeSql()
  const store = new RegistryStore(sql)
  const ports = { factsOf, grainMs: clock.grainMs }
  const scheduler = new ProbeScheduler(store, ports, newSettings('bench'))
  const registrar = new Registrar(store, scheduler, ports, {
    lookup: new PrefixLookup(store, factsOf),
    credentials: new BodyCredentials(store, 'bench', VARS),
  })
  const running = new Set<Promise<void>>()
  const send = async (messages: readonly Message[]): Promise<void> => {
    for (const { seq } of messages) {
      const work = consume(seq).finally(() => running.delete(work))
      running.add(work)
    }
  }
  const rearm = async (): Promise<void> => {}
  const grants = () => ({ allowedSecrets: [], credentials: [] })
  const singleFlight = new SingleFlight(store, scheduler, registrar, {
    clock,
    send,
    rearm,
    grants,
    timeoutOf: () => null,
  })
  const crews = new Crews(store, registrar, singleFlight, { clock, send, rearm })

  async function consume(seq: number): Promise<void> {
    let leases = scheduler.begin(seq, time.now())
    await crews.advance()
    while (leases.length > 0) {
      const outcomes = await Promise.all(
        leases.map(async (lease) => {
          const bodyOf = async ({ k }: Lease) => {
            const bytes = store.prefixes.body(k)
            const record = store.prefixes.record(k)
            if (bytes === null || record === null) return null
            const { breakpoint, cacheKey, headers = {} } = record
            return { text: unpack(bytes), breakpoint, cacheKey, headers }
          }
          return (
            await runLease(lease, {
              clock,
              vars: VARS,
              allowedSecrets: SECRETS,
              bodyOf,
            })
          ).outcome
        }),
      )
      const { again, ended } = scheduler.settle(seq, outcomes, time.now())
      singleFlight.wake(ended)
      await crews.advance()
      leases = again
    }
  }

  /** `requests`: how the real requests of each agent begin, as `GET /prefixes/{id}/request` shows it. */
  async function preload(agents: readonly OfficeAgent[], strategy: CrewStrategy, atOnce: number) {
    const read = agents.map(({ request, ...members }) => {
      const native = request === undefined ? {} : { request: new RawJson(JSON.stringify(request)) }
      const body = warmBody.parse({ keep_warm: { plan: 'off' }, ...members, ...native })
      return { name: null, body, preparation: prepareWarm(body, time.now()) }
    })
    const admitted = withHeadsInText(read, undefined, (body, systemHead) =>
      prepareWarm(body, time.now(), { systemHead }),
    )
    const startedAt = time.now()
    const { id } = await crews.begin(orderOf({ strategy, max_parallel: atOnce }, admitted))
    for (;;) {
      if (running.size > 0) await Promise.race(running)
      else if (crews.crew(id).finishedAt !== null) break
      else {
        // What the Registry's alarm does.
        await time.sleep(Math.min(...store.crews.open().map(({ wakeAt }) => wakeAt)) - time.now())
        await crews.advance()
      }
    }
    const row = crews.crew(id)
    const crew = crewJson(row)
    const requests = row.agents.map(({ k }) => {
      const [bytes, record] = k === null ? [null, null] : [store.prefixes.body(k), store.prefixes.record(k)]
      const card = record === null ? undefined : cardById(record.provider)
      if (bytes === null || record === null || card === undefined) return null
      const text = unpack(bytes)
      return withMarkers(card, text, record.retention) ?? text
    })
    return { crew, requests, tookMs: time.now() - startedAt }
  }
  return { preload, close: () => sql.close() }
}
