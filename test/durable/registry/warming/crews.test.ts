import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { Crews } from '../../../../src/durable/registry/warming/crews.ts'
import { SECOND_MS } from '../../../../src/core/time/time.ts'
import { testAccount } from '../../../support/account.ts'
import { registrationNamed } from '../../../support/plain-registration.ts'
import { NOON, planned } from '../../../support/sample.ts'
import { warmingPorts } from '../../../support/warming.ts'

beforeEach(() => {
  vi.spyOn(console, 'error').mockImplementation(() => {})
})
afterEach(() => {
  vi.restoreAllMocks()
})

/** Crews whose agents are warmed one after the other. */
function world() {
  const account = testAccount()
  const { now, sent, ports, flights, failAll } = warmingPorts(account, NOON)
  const crews = new Crews(account.store, account.registrar, flights, ports)
  const begin = (id: string, ...names: string[]) =>
    crews.begin({
      id,
      strategy: 'sequential',
      atOnce: 1,
      groups: [],
      heads: [],
      led: [],
      agents: names.map((name) => ({
        name,
        group: null,
        registration: registrationNamed(name, planned('off')),
        required: null,
        failure: null,
        skipped: '',
      })),
    })
  return { account, now, sent, crews, begin, failAll }
}

const steps = (crews: Crews, id: string) => crews.crew(id).agents.map(({ step }) => step)

it('a crew whose step is rolled back is as before, is due later, and goes on then', async () => {
  const { account, now, sent, crews, begin, failAll } = world()
  await begin('job_crew', 'one', 'two')
  expect(sent).toHaveLength(1)
  account.sql.all("CREATE TRIGGER full BEFORE INSERT ON claim BEGIN SELECT RAISE(ABORT, 'disk full'); END")
  failAll()
  now.at += SECOND_MS
  await crews.advance()
  expect([sent, steps(crews, 'job_crew')]).toEqual([[], ['running', 'waiting']])
  expect(account.store.nextAt()).toBeGreaterThan(now.at)
  account.sql.all('DROP TRIGGER full')
  now.at = account.store.nextAt() ?? 0
  await crews.advance()
  expect([sent.length, steps(crews, 'job_crew')]).toEqual([1, ['failed', 'running']])
})

it('a crew that cannot go on holds up neither the others nor the account', async () => {
  const { account, now, crews, begin, failAll } = world()
  await begin('job_broken', 'one', 'two')
  await begin('job_whole', 'three', 'four')
  account.sql.all("UPDATE crew SET crew = '{' WHERE id = 'job_broken'")
  failAll()
  now.at += SECOND_MS
  await crews.advance()
  expect(steps(crews, 'job_whole')).toEqual(['failed', 'running'])
  const due = account.sql.all<{ at: number }>('SELECT wake_at AS at FROM crew')
  expect(due.map(({ at }) => at > now.at)).toEqual([true, true])
})

it('a crew that ends with a step that is rolled back is not forgotten', async () => {
  const { account, now, crews, begin, failAll } = world()
  await begin('job_crew', 'one')
  account.sql.all("CREATE TRIGGER full BEFORE UPDATE OF crew ON crew BEGIN SELECT RAISE(ABORT, 'disk full'); END")
  failAll()
  await crews.advance()
  account.sql.all('DROP TRIGGER full')
  now.at = account.store.nextAt() ?? 0
  await crews.advance()
  expect([steps(crews, 'job_crew'), crews.crew('job_crew').finishedAt]).toEqual([['failed'], now.at])
})
