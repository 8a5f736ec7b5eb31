import { expect, it } from 'vitest'
import { botAnswer } from '../../../src/contract/bot.ts'
import { listOf } from '../../../src/contract/values.ts'
import { call, newAccount, pick, useLab } from '../support.ts'
import { anthropic } from './support.ts'

useLab()

const page = listOf(botAnswer)

it('GET /bots lists the bots of the account, page by page, the ended ones too', async () => {
  const { key } = await newAccount()
  const other = await newAccount()
  expect((await call('GET', '/bots', undefined, { key })).json).toEqual({ data: [], next_cursor: null })
  const made: string[] = []
  for (let each = 0; each < 3; each++) made.push(String(pick(await call('POST', '/bots', anthropic, { key }), 'id')))
  await call('DELETE', `/bots/${made[0]}`, undefined, { key })
  const first = page.parse((await call('GET', '/bots?limit=2', undefined, { key })).json)
  expect(first.data.map(({ id }) => id)).toEqual(made.toSorted().slice(0, 2))
  const cursor = encodeURIComponent(first.next_cursor ?? '')
  const second = page.parse((await call('GET', `/bots?limit=2&cursor=${cursor}`, undefined, { key })).json)
  expect([second.data.map(({ id }) => id), second.next_cursor]).toEqual([made.toSorted().slice(2), null])
  const all = [...first.data, ...second.data]
  expect(all.find(({ id }) => id === made[0])?.status).toBe('shutdown')
  expect((await call('GET', '/bots', undefined, { key: other.key })).json).toEqual({ data: [], next_cursor: null })
  await call('DELETE', `/bots/${made[1]}?erase=true`, undefined, { key })
  expect(page.parse((await call('GET', '/bots', undefined, { key })).json).data).toHaveLength(2)
})

it('GET /bots refuses a limit and a cursor that are none, by name', async () => {
  const { key } = await newAccount()
  for (const [query, field] of [
    ['limit=0', 'limit'],
    ['limit=51', 'limit'],
    ['cursor=abc', 'cursor'],
  ] as const) {
    const { status, json } = await call('GET', `/bots?${query}`, undefined, { key })
    expect([status, (json as { error: { detail: unknown } }).error.detail]).toEqual([400, { field }])
  }
})
