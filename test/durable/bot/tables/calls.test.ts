import { expect, it } from 'vitest'
import { BotCallLog } from '../../../../src/durable/bot/tables/calls.ts'
import { nodeSql } from '../../../support/node-sql.ts'

it('calls of an older version are read, and later ones keep what was reserved for them', () => {
  const sql = nodeSql()
  sql.all(
    `CREATE TABLE model_call (seq INTEGER PRIMARY KEY AUTOINCREMENT, turn TEXT NOT NULL UNIQUE,
      begun_at INTEGER NOT NULL, ended_at INTEGER, outcome TEXT)`,
  )
  sql.all('INSERT INTO model_call (turn, begun_at) VALUES (?, ?)', 'old', 1)
  const calls = new BotCallLog(sql)
  expect(calls.of('old')).toMatchObject({ begunAt: 1, worstNanos: null })
  calls.begin('new', 2, 900)
  expect(calls.ofTurn('new')).toMatchObject([{ id: 'new', outcome: null, worstNanos: 900 }])
})
