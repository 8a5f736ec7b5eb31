import { beforeEach, describe, expect, it } from 'vitest'
import { warmBody } from '../../../../src/contract/warm.ts'
import { RawJson } from '../../../../src/contract/raw-json.ts'
import { prepareWarm, registrationOf } from '../../../../src/registration/prepare.ts'
import { cardById, dialectOf } from '../../../../src/providers/registry.ts'
import { unpack } from '../../../../src/runtime/bytes.ts'
import { factsOf } from '../../../../src/runtime/facts.ts'
import { NOON } from '../../../support/sample.ts'
import { tokens } from '../../../lab/caller.ts'
import { createLab } from '../../../lab/index.ts'
import type { Lab } from '../../../lab/index.ts'
import { answered, testAccount } from '../../../support/account.ts'
import type { TestAccount } from '../../../support/account.ts'
import type { Lease, Outcome } from '../../../../src/calls/lease.ts'
import { HOUR_MS, MINUTE_MS } from '../../../../src/core/time/time.ts'

/** A prefix that begins with another one, at the lab: keep-alives of the longer prefix renew the shorter one. */

const anthropic = cardById('anthropic')!
const dialect = dialectOf(anthropic)

const HANDBOOK = tokens(4_000, 'handbook')
const MANUAL = tokens(3_000, 'manual')
const marked = (text: string) => ({ type: 'text', text, cache_control: { type: 'ephemeral' } })
const plain = (text: string) => ({ type: 'text', text })
const base = { model: 'claude-opus-4-8', max_tokens: 300 }
const SHORTER = { ...base, system: [marked(HANDBOOK)] }
const LONGER = { ...base, system: [marked(HANDBOOK), marked(MANUAL)] }
const LONGER_UNMARKED = { ...base, system: [plain(HANDBOOK), marked(MANUAL)] }
const question = { messages: [{ role: 'user', content: 'Where is the ford?' }] }

let now: number
let lab: Lab
let account: TestAccount
let calls: number[]
/** Changes a probe's body before it is sent: a provider whose rules differ from its documents. */
let changed: (body: string) => string

beforeEach(() => {
  now = NOON
  lab = createLab({ now: () => now, sleep: () => Promise.resolve(), latency: 'off' })
  account = testAccount({ facts: factsOf })
  calls = []
  changed = (body) => body
})

function register(request: object, plan: unknown = 'always'): number {
  const raw = new RawJson(JSON.stringify(request))
  const body = warmBody.parse({ provider: 'anthropic', request: raw, keep_warm: { plan } })
  return account.registrar.register(registrationOf(prepareWarm(body, now)), now).k
}

async function ask(body: string): Promise<{ text: string; usage: Record<string, number> }> {
  const request = new Request('http://lab.test/anthropic/v1/messages', {
    method: 'POST',
    body,
    headers: { 'content-type': 'application/json', 'x-api-key': 'lab', 'anthropic-version': '2023-06-01' },
  })
  const answer = await lab.fetch(request)
  const text = await answer.text()
  if (!answer.ok) throw new Error(text)
  return { text, usage: (JSON.parse(text) as { usage: Record<string, number> }).usage }
}

async function send(lease: Lease): Promise<Outcome> {
  const record = account.store.prefixes.record(lease.k)!
  const text = unpack(account.store.prefixes.body(lease.k)!)
  const options = { primitive: lease.primitive, retention: lease.retention }
  const probe = dialect.probe({ text, model: record.model, breakpoint: record.breakpoint }, options)
  const { usage, model } = dialect.readAnswer((await ask(changed(probe.body))).text, 'application/json')
  calls[lease.k] = (calls[lease.k] ?? 0) + 1
  return answered(lease, now, null, null, { usage, model })
}

async function warm(k: number): Promise<void> {
  const lease = account.leaseNow(k, now)
  const outcome = await send(lease)
  now += 300
  account.scheduler.settle(lease.seq, [outcome], now)
}

/** Runs the schedule until `end`, with every message 100 ms late. */
async function until(end: number): Promise<void> {
  for (let next = account.store.nextAt(); next !== null && next < end; next = account.store.nextAt()) {
    now = Math.max(now, next)
    for (const { seq } of account.scheduler.sweep(now, now).messages) {
      const leases = account.scheduler.begin(seq, now)
      const outcomes: Outcome[] = []
      for (const lease of leases) outcomes.push(await send(lease))
      now += 300
      if (outcomes.length > 0) account.scheduler.settle(seq, outcomes, now)
    }
    now += 100
  }
  now = Math.max(now, end)
}

/** Sends and reports a real request. Returns the number of cached tokens that it read. */
async function use(k: number, request: object): Promise<number> {
  const { text, usage } = await ask(JSON.stringify({ ...request, ...question }))
  const read = dialect.readAnswer(text, 'application/json')
  account.scheduler.observe(k, [{ startedAt: now, usage: read.usage, ttftMs: 200 }], now)
  return usage['cache_read_input_tokens'] ?? 0
}

const decisionsOf = (k: number): string[] =>
  account.registrar
    .history(account.store.prefixes.record(k)?.id ?? '', now)
    .flatMap((row) => (row.type === 'decision' ? [row.decision] : []))

describe('a longer prefix that marks the end of a shorter one', () => {
  it('keep-alives of the longer prefix keep the shorter one warm at no extra cost', async () => {
    const [shorter, longer] = [register(SHORTER), register(LONGER)]
    await warm(shorter)
    now += MINUTE_MS
    await warm(longer)
    await until(NOON + 3 * HOUR_MS)
    expect(calls[longer]).toBeGreaterThan(35)
    expect(calls[shorter]).toBe(1)
    expect(account.registrar.viewByKey(shorter, now).belief).toMatchObject({ state: 'warm' })
    expect(decisionsOf(shorter)).toContain('inside')
    // The provider agrees: what a real request of the shorter one reads is all of it.
    expect(await use(shorter, SHORTER)).toBeGreaterThanOrEqual(4_000)
    expect(account.store.states.load(shorter)).toMatchObject({ hits: 1, savedNanos: 0, credits: 0 })
  })

  it('the order of registration does not matter', async () => {
    const longer = register(LONGER)
    await warm(longer)
    const shorter = register(SHORTER)
    await warm(shorter)
    await until(NOON + HOUR_MS)
    // Written in the same second, both are due at once the first time: one read too many.
    expect(calls[shorter]).toBeLessThanOrEqual(2)
    expect(await use(shorter, SHORTER)).toBeGreaterThanOrEqual(4_000)
  })

  it('the shorter prefix gets keep-alives of its own, without a lapse, when the longer stops', async () => {
    const [shorter, longer] = [register(SHORTER), register(LONGER, { probes: 5 })]
    await warm(shorter)
    await warm(longer)
    await until(NOON + 2 * HOUR_MS)
    expect(account.store.states.load(longer)?.stopped?.reason).toBe('probes_spent')
    expect(calls[shorter]).toBeGreaterThan(15)
    expect(account.store.states.load(shorter)).toMatchObject({ keepColds: 0, verdict: 'warm' })
    expect(await use(shorter, SHORTER)).toBeGreaterThanOrEqual(4_000)
  })

  it('failed calls of the longer prefix leave time for a keep-alive of the shorter', async () => {
    const [shorter, longer] = [register(SHORTER), register(LONGER)]
    await warm(shorter)
    await warm(longer)
    await until(NOON + 20 * MINUTE_MS)
    account.store.prefixes.delete(longer)
    await until(NOON + HOUR_MS)
    expect(account.store.states.load(shorter)).toMatchObject({ keepColds: 0, verdict: 'warm' })
    expect(calls[shorter]).toBeGreaterThan(5)
  })
})

describe('a shorter prefix is not renewed by a longer one', () => {
  it.each<[string, object]>([
    ['a longer prefix without a marker there', LONGER_UNMARKED],
    ['another model', { ...LONGER, model: 'claude-opus-4-1' }],
    ['another speed', { ...LONGER, speed: 'fast' }],
    ['another beginning', { ...LONGER, system: [marked(`${HANDBOOK} `), marked(MANUAL)] }],
    ['another retention', hour(LONGER)],
  ])('%s renews nothing', async (_, request) => {
    const [shorter, longer] = [register(SHORTER), register(request)]
    await warm(shorter)
    await warm(longer)
    await until(NOON + HOUR_MS)
    expect(decisionsOf(shorter)).not.toContain('inside')
    expect(calls[shorter]).toBeGreaterThan(10)
  })

  it('a real request that finds the entry gone ends the renewals by the longer prefix', async () => {
    // A provider that renews only what it reads: the same probes, without the marker in front.
    const [shorter, longer] = [register(SHORTER), register(LONGER)]
    changed = (body) => (body.includes('manual') ? body.replace(',"cache_control":{"type":"ephemeral"}', '') : body)
    await warm(shorter)
    await warm(longer)
    await until(NOON + 30 * MINUTE_MS)
    expect(calls[shorter]).toBe(1)
    expect(await use(shorter, SHORTER)).toBe(0)
    expect(decisionsOf(shorter)).toContain('inside_refuted')
    await until(NOON + 2 * HOUR_MS)
    expect(calls[shorter]).toBeGreaterThan(15)
    expect(await use(shorter, SHORTER)).toBeGreaterThanOrEqual(4_000)
  })
})

function hour(request: typeof LONGER): object {
  const cache_control = { type: 'ephemeral', ttl: '1h' }
  return { ...request, system: request.system.map((block) => ({ ...block, cache_control })) }
}
