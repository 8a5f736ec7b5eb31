import { beforeEach, expect, it } from 'vitest'
import type { PrefixState } from '../../../../src/core/prefix/state.ts'
import type { PrefixFilter } from '../../../../src/durable/registry/records/prefix-view.ts'
import { MOST_OUTLOOKS } from '../../../../src/durable/registry/tables/outlooks.ts'
import type { Sql, SqlValue } from '../../../../src/durable/sql.ts'
import { testAccount } from '../../../support/account.ts'
import type { TestAccount } from '../../../support/account.ts'
import { nodeSql } from '../../../support/node-sql.ts'
import { registrationNamed } from '../../../support/plain-registration.ts'
import { NOON, planned, warmState } from '../../../support/sample.ts'

const MANY = 2_500

let account: TestAccount
/** Records of prefixes that were read from the table. */
let read = 0
/** Times that all prefixes were counted. */
let counted = 0
/** Times that the small copy of all states was read. */
let copied = 0

function countingSql(): Sql {
  const sql = nodeSql()
  return {
    transaction: (work) => sql.transaction(work),
    all: <Row>(query: string, ...bindings: SqlValue[]) => {
      const rows = sql.all<Row>(query, ...bindings)
      if (/SELECT .*\brecord\b.* FROM prefix/.test(query)) read += rows.length
      if (/AS outlook/.test(query)) copied += 1
      if (/count\(\*\) AS n FROM prefix/.test(query)) counted += 1
      return rows
    },
  }
}

function register(tag: string, change: { name?: string; provider?: string } = {}, at = NOON): number {
  return account.registrar.register(registrationNamed(tag, planned('off'), change), at).k
}

/** What an answer at `at` showed of a prefix: its entry lives for five minutes from then. */
function shows(k: number, verdict: PrefixState['verdict'], at = NOON): void {
  account.scheduler.applyTransition(k, at, (state) => ({
    state: { ...warmState(at), stopped: state.stopped, verdict },
    rows: [],
  }))
}

/** Stops the plan of a prefix, as an outcome would. */
function stop(k: number, reason: 'uncacheable' | null): void {
  account.scheduler.applyTransition(k, NOON, (state) => ({
    state: { ...state, stopped: reason === null ? null : ({ reason, why: 'so', at: NOON, until: null } as never) },
    rows: [],
  }))
}

function listed(filter: PrefixFilter, now = NOON): number[] {
  const all: number[] = []
  let cursor: number | null = null
  do {
    const page = account.registrar.list(filter, cursor, 50, now)
    all.push(...page.views.map(({ record }) => account.registrar.keyOf(record.id)))
    cursor = page.cursor
  } while (cursor !== null)
  return all
}

beforeEach(() => {
  account = testAccount({ sql: countingSql() })
  account.store.transaction(() => {
    for (let n = 0; n < MANY; n++) register(n.toString(16).padStart(24, '0'), { name: `agent-${n}` })
  })
  account.evict()
  ;[read, counted, copied] = [0, 0, 0]
})

it.each<[string, PrefixFilter, () => number]>([
  ['a name', { name: 'agent-7' }, () => account.registrar.keyOf(`pfx_0_${(7).toString(16).padStart(24, '0')}`)],
  ['a provider', { provider: 'other' }, () => register('e'.repeat(24), { provider: 'other' })],
])('a list by %s reads the prefixes that match, however many there are', (_, filter, given) => {
  const k = given()
  account.evict()
  read = 0
  expect(listed(filter)).toEqual([k])
  expect(read).toBe(1)
})

it('a list of what needs somebody reads these alone, and forgets those that were mended', () => {
  const k = register('f'.repeat(24), { name: 'broken' })
  stop(k, 'uncacheable')
  account.evict()
  read = 0
  expect(listed({ needsSomebody: true })).toEqual([k])
  expect(read).toBe(1)
  stop(k, null)
  expect(listed({ needsSomebody: true })).toEqual([])
})

it.each<[string, PrefixFilter, (k: number) => void]>([
  ['warm', { state: 'warm' }, (k) => shows(k, 'warm')],
  ['expiring', { state: 'expiring' }, (k) => shows(k, 'warm', NOON - 290_000)],
  ['cold, by its answer', { state: 'cold' }, (k) => shows(k, 'cold')],
  ['cold, by time alone', { state: 'cold' }, (k) => shows(k, 'warm', NOON - 300_000)],
  ['uncacheable', { state: 'uncacheable' }, (k) => shows(k, 'uncacheable')],
  [
    'not stopped',
    { stopped: false },
    () => {
      account.registrar.register(registrationNamed('f'.repeat(24), planned('always')), NOON)
    },
  ],
])('a list of what is %s reads these alone, before an eviction and after it', (_, filter, make) => {
  expect(listed(filter)).toEqual([])
  const k = register('f'.repeat(24))
  make(k)
  expect(listed(filter)).toEqual([k])
  account.evict()
  ;[read, copied] = [0, 0]
  expect(listed(filter)).toEqual([k])
  expect(listed({ ...filter, provider: 'other' })).toEqual([])
  expect([read, copied]).toEqual([1, 1])
})

it('a list by state follows answers, deletions, and transactions that were undone', () => {
  const k = register('f'.repeat(24))
  expect(listed({ state: 'warm' })).toEqual([])
  shows(k, 'warm')
  expect(listed({ state: 'warm' })).toEqual([k])
  expect(listed({ state: 'warm' }, NOON + 300_000)).toEqual([])
  expect(listed({ state: 'cold' }, NOON + 300_000)).toEqual([k])
  expect(() =>
    account.store.transaction(() => {
      shows(k, 'cold')
      throw new Error('undone')
    }),
  ).toThrow('undone')
  expect(listed({ state: 'warm' })).toEqual([k])
  account.registrar.remove(account.registrar.viewByKey(k, NOON).record.id, NOON)
  expect(listed({ state: 'warm' })).toEqual([])
  expect(listed({ state: 'unknown' })).toHaveLength(MANY)
})

it('a list of what is cold has what no request reaches any more, and no other list has it', () => {
  let isKnown = true
  account = testAccount({ sql: account.sql, isKnown: (provider) => provider !== 'other' || isKnown })
  const k = register('e'.repeat(24), { provider: 'other' })
  shows(k, 'warm')
  expect(listed({ state: 'warm' })).toEqual([k])
  isKnown = false
  expect([listed({ state: 'warm' }), listed({ state: 'cold' })]).toEqual([[], [k]])
})

it('a list by state reads page by page where there are more prefixes than memory holds', () => {
  const copies = `WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ?)`
  const one = 'FROM n, (SELECT * FROM prefix ORDER BY k LIMIT 1)'
  account.sql.all(
    `${copies} INSERT INTO prefix (id, fingerprint, created_at, record) SELECT id || n, fingerprint || n, created_at, record ${one}`,
    MOST_OUTLOOKS - MANY,
  )
  account.sql.all(
    `INSERT INTO state (k, next_at, state) SELECT k, NULL, (SELECT state FROM state LIMIT 1) FROM prefix WHERE k > ?`,
    MANY,
  )
  account.evict()
  expect(listed({ state: 'warm' })).toEqual([])
  expect(copied).toBe(1)
  const k = register('f'.repeat(24))
  shows(k, 'warm')
  const page = account.registrar.list({ state: 'warm' }, null, 50, NOON)
  expect(page.views.map(({ record }) => account.registrar.keyOf(record.id))).toEqual([k])
  expect(copied).toBe(1)
  account.evict()
  expect(account.registrar.list({ state: 'warm' }, null, 50, NOON).views).toHaveLength(1)
  expect(copied).toBe(1)
})

it('a list by name shows the versions that held it, and one that holds it beside another', () => {
  const first = register('a'.repeat(24), { name: 'release' })
  const second = register('b'.repeat(24), { name: 'release' })
  register('b'.repeat(24), { name: 'stable' })
  expect(listed({ name: 'release' })).toEqual([second, first])
  expect(listed({ name: 'stable' })).toEqual([second])
})

it('a list without a filter gives every prefix once; a page reads no more than it shows', () => {
  account.registrar.list({}, null, 50, NOON)
  expect(read).toBe(50)
  expect(new Set(listed({})).size).toBe(MANY)
})

it('registrations count all prefixes once, and the number stays exact', () => {
  for (const tag of ['a', 'b', 'c']) register(tag.repeat(24))
  expect(counted).toBe(1)
  const { id } = account.registrar.viewByKey(register('a'.repeat(24)), NOON).record
  account.registrar.remove(id, NOON)
  expect(account.store.prefixes.count()).toBe(MANY + 2)
  expect(() =>
    account.store.transaction(() => {
      register('d'.repeat(24))
      throw new Error('undone')
    }),
  ).toThrow('undone')
  expect(account.store.prefixes.count()).toBe(MANY + 2)
})
