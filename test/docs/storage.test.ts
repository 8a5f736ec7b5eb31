import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import { KEY_CACHE_MS } from '../../src/http/server/auth.ts'
import { MIN_SECRET_LENGTH } from '../../src/runtime/env.ts'
import { newAccountKey, newKeySeed } from '../../src/runtime/ids.ts'
import { MessageKeys } from '../../src/durable/bot/tables/message-keys.ts'
import { NextCacheTable } from '../../src/durable/bot/tables/next-cache-request.ts'
import { BotCallLog, CALLS_KEPT } from '../../src/durable/bot/tables/calls.ts'
import { LIVE_STEPS, SEEN_IDS } from '../../src/durable/live/tables.ts'
import { migrate } from '../../src/durable/migrate.ts'
import { nodeSql } from '../support/node-sql.ts'
import { names, readText, root, section, tableRows } from './documents.ts'
import { DIRECTORY_STEPS } from '../../src/durable/directory/tables/migrations.ts'
import { REGISTRY_STEPS } from '../../src/durable/registry/tables/migrations.ts'
import { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS } from '../../src/core/time/time.ts'

const storage = readText('docs/storage.md')

function tablesOf(steps: readonly string[][]): string[] {
  const sql = nodeSql()
  migrate(sql, steps)
  const found = sql.all<{ name: string }>(
    "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
  )
  sql.close()
  return found.map(({ name }) => name).toSorted()
}

/** Keys that the stores read or write in their table of settings. */
function settingKeys(files: string[]): string[] {
  const text = files.map((file) => readFileSync(resolve(root, file), 'utf8')).join('\n')
  const found = [...text.matchAll(/(?:setting|saveSetting)\('(\w+)'|name = '(\w+)'|INTO setting VALUES \('(\w+)'/g)]
  return [...new Set(found.map(([, a, b, c]) => a ?? b ?? c ?? ''))].toSorted()
}

/** Keys of the rounds, whose names begin with that of their kind. */
function roundKeys(): string[] {
  const own: Record<string, string[]> = {
    roll_up: ['src/durable/directory/daily-roll-up.ts'],
    reconcile: ['src/durable/directory/reconciliation.ts'],
  }
  const kinds = readText('src/durable/directory/work.ts').matchAll(/settings: '(\w+)'/g)
  return [...kinds].flatMap(([, kind = '']) =>
    settingKeys(['src/durable/directory/tables/rounds.ts', ...(own[kind] ?? [])]).map((key) => `${kind}_${key}`),
  )
}

const objects = [
  {
    heading: 'Registry: one per account',
    steps: REGISTRY_STEPS,
    files: [
      'src/durable/registry/tables/tables.ts',
      'src/durable/registry/registry.ts',
      'src/durable/registry/account/rpc.ts',
      'src/durable/registry/probes/provider-guards.ts',
      'src/durable/registry/probes/latency.ts',
      'src/durable/registry/probes/lifetimes.ts',
      'src/durable/registry/prefixes/prefix-lookup.ts',
      'src/durable/registry/account/prompt-key.ts',
      'src/durable/registry/account/old-bots.ts',
      'src/durable/registry/account/webhook.ts',
    ],
  },
  {
    heading: 'Directory: one per deployment',
    steps: DIRECTORY_STEPS,
    files: [
      'src/durable/directory/tables/accounts.ts',
      'src/durable/directory/body-keys.ts',
      'src/durable/directory/directory.ts',
    ],
    more: roundKeys(),
  },
]

describe.each(objects)('docs/storage.md, $heading', ({ heading, steps, files, more = [] }) => {
  const [tables = '', keys = ''] = section(storage, heading).split(/^Keys in `setting`:$/m)

  it('describes every table and no other', () => {
    expect(
      tableRows(tables)
        .map(([name]) => names(name)[0])
        .toSorted(),
    ).toEqual(tablesOf(steps))
  })

  it('describes every key of the settings and no other', () => {
    expect(
      tableRows(keys)
        .map(([name]) => names(name)[0])
        .toSorted(),
    ).toEqual([...settingKeys(files), ...more].toSorted())
  })
})

it('describes every table of a bot and no other, with how long it lives', () => {
  const rows = tableRows(section(storage, 'Bot: one per bot'))
  const sql = nodeSql()
  migrate(sql, LIVE_STEPS)
  const calls = new BotCallLog(sql)
  calls.begin('a turn', 1)
  calls.beginTool('a call', 'a turn', 'a tool', 1)
  new NextCacheTable(sql).set(null)
  new MessageKeys(sql).add({ key: 'a key', body: 'a body' }, 'a turn', 1)
  const found = sql.all<{ name: string }>(
    "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
  )
  sql.close()
  expect(rows.map(([name]) => names(name)[0]).toSorted()).toEqual(found.map(({ name }) => name).toSorted())
  expect(rows.filter((row) => !/\w/.test(row[3] ?? ''))).toEqual([])
  expect(storage).toContain(`the latest ${SEEN_IDS.toLocaleString('en')} |`)
  expect(storage).toContain(`the latest ${CALLS_KEPT.toLocaleString('en')} |`)
})

it('says for every table how long it lives', () => {
  for (const { heading } of objects) {
    const [tables = ''] = section(storage, heading).split(/^Keys in `setting`:$/m)
    expect(tableRows(tables).filter((row) => !/\w/.test(row[3] ?? ''))).toEqual([])
  }
})

const units: Record<string, number> = { SECOND_MS, MINUTE_MS, HOUR_MS, DAY_MS }

/** The value of a constant that a file keeps to itself. */
function constant(file: string, name: string): number {
  const written = new RegExp(`const ${name} = ([\\w *]+)\\n`).exec(readText(file))?.[1] ?? ''
  return written
    .split(' * ')
    .reduce((product, factor) => product * (units[factor] ?? Number(factor.replaceAll('_', ''))), 1)
}

it('states sizes and ages as they are in the code', () => {
  const days = (name: string): number => constant('src/durable/registry/daily-maintenance.ts', name) / DAY_MS
  const grouped = (file: string, name: string): string => constant(file, name).toLocaleString('en')
  expect(storage).toContain(
    `parts of at most ${grouped('src/durable/registry/tables/prefixes.ts', 'BODY_PART_BYTES')} bytes`,
  )
  expect(storage).toContain(
    `Every ${constant('src/durable/registry/tables/states.ts', 'TAIL_ROWS')} rows the tail moves`,
  )
  expect(storage).toContain(
    `refused beyond ${constant('src/durable/registry/registry.ts', 'STORAGE_LIMIT_BYTES') / 1e9} GB`,
  )
  expect(storage).toContain(`| ${grouped('src/durable/registry/probes/sweep.ts', 'ENTRIES_PER_SWEEP')} |`)
  expect([days('HISTORY_MS'), days('JOB_MS')]).toEqual([7, 7])
  expect(storage).toContain(
    `whole for seven days after its newest row, then by the hour up to ${days('LEDGER_DAYS_MS')} days`,
  )
  expect(storage).toContain(`| ${days('LEDGER_DAYS_MS')} days |`)
  expect(storage).toContain(
    `given up, ${constant('src/durable/registry/account/outbox.ts', 'GIVEN_UP_MS') / DAY_MS} days, the latest ${constant('src/durable/registry/account/outbox.ts', 'MOST_GIVEN_UP')} |`,
  )
  expect(constant('src/durable/registry/tables/idempotency.ts', 'IDEMPOTENCY_MS') / HOUR_MS).toBe(24)
})

it('says in security.md how long keys must be and how long they may linger', () => {
  const security = readText('docs/security.md')
  expect(security).toContain(`at least ${MIN_SECRET_LENGTH} characters`)
  expect(security).toContain(`for up to ${KEY_CACHE_MS / 1_000} seconds`)
  expect(newAccountKey('a', newKeySeed()).key).toMatch(/^plk_a_[0-9a-f]{12}_[0-9a-f]{72}$/) // 224 bits and the seal
  expect(security).toContain('224 random bits')
})
