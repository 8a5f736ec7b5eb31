import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { PrefixLookup } from '../../../../src/durable/registry/prefixes/prefix-lookup.ts'
import { Fallbacks } from '../../../../src/durable/registry/warming/fallbacks.ts'
import { SECOND_MS } from '../../../../src/core/time/time.ts'
import { answered, testAccount } from '../../../support/account.ts'
import { registrationNamed } from '../../../support/plain-registration.ts'
import { facts, NOON, planned } from '../../../support/sample.ts'
import { warmingPorts } from '../../../support/warming.ts'

beforeEach(() => {
  vi.spyOn(console, 'error').mockImplementation(() => {})
})
afterEach(() => {
  vi.restoreAllMocks()
})

function world() {
  const account = testAccount()
  const { now, sent, ports, flights, failAll } = warmingPorts(account, NOON)
  const lookup = new PrefixLookup(account.store, () => facts)
  const fallbacks = new Fallbacks(account.store, account.registrar, flights, { ...ports, lookup })
  const order = (name: string) => ({
    registration: registrationNamed(name, planned('always'), { name }),
    required: null,
    unpriced: true,
  })
  /** Queues the warm of one prefix, which others follow. */
  const begin = async (first: string, ...next: string[]): Promise<string> => {
    const { k } = account.registrar.register(registrationNamed(first, planned('off')), now.at)
    const { job, messages } = flights.queue(k, `job_${first}`, now.at, { required: null, unpriced: true })
    await ports.send(messages)
    await fallbacks.follow(job.id, next.map(order))
    return job.id
  }
  const keyOf = (name: string): number => account.store.prefixes.keyOf('fingerprint', name.padEnd(64, '-')) ?? 0
  /** The label that a model gets when its turn comes. */
  const labelOf = (name: string) => account.store.prefixes.record(keyOf(name))?.name
  return { account, now, sent, fallbacks, begin, failAll, keyOf, labelOf }
}

it('a chain whose step is rolled back is as before, is due later, and goes on then', async () => {
  const { account, now, sent, fallbacks, begin, failAll, keyOf, labelOf } = world()
  await begin('first', 'second')
  account.sql.all("CREATE TRIGGER full BEFORE INSERT ON claim BEGIN SELECT RAISE(ABORT, 'disk full'); END")
  failAll()
  now.at += SECOND_MS
  await fallbacks.advance()
  expect([sent, labelOf('second')]).toEqual([[], null])
  expect(account.store.nextAt()).toBeGreaterThan(now.at)
  account.sql.all('DROP TRIGGER full')
  now.at = account.store.nextAt() ?? 0
  await fallbacks.advance()
  // The call that was rolled back is in no memory either: it is claimed now, and its message sent.
  expect(sent).toHaveLength(1)
  expect(account.scheduler.begin(sent[0]?.seq ?? 0, now.at).map(({ k }) => k)).toEqual([keyOf('second')])
})

it('a chain that cannot go on holds up neither the others nor the account', async () => {
  const { account, now, fallbacks, begin, failAll, keyOf, labelOf } = world()
  const broken = await begin('first', 'second')
  await begin('third', 'fourth')
  account.sql.all("UPDATE fallback SET links = '[' WHERE job = ?", broken)
  failAll()
  now.at += SECOND_MS
  await fallbacks.advance()
  expect([labelOf('second'), labelOf('fourth')]).toEqual([null, 'fourth'])
  expect(account.store.states.load(keyOf('fourth'))?.jobs).toHaveLength(1)
  for (const { wakeAt } of account.store.fallbacks.open()) expect(wakeAt).toBeGreaterThan(now.at)
})

it('a prefix that another chain may still go on to outlives a chain that did not need it', async () => {
  const { account, now, sent, fallbacks, begin, keyOf } = world()
  await begin('first', 'shared')
  await begin('second', 'shared', 'last')
  // Only the first warm succeeds.
  const seq = sent[0]?.seq ?? 0
  const leases = account.scheduler.begin(seq, now.at)
  account.scheduler.settle(
    seq,
    leases.map((lease) => answered(lease, now.at, 0, 10_000)),
    now.at + 400,
  )
  await fallbacks.advance()
  expect(account.store.fallbacks.open().map(({ job }) => job)).toEqual(['job_second'])
  expect(keyOf('shared')).toBeGreaterThan(0)
})
