import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { Api } from '../../scripts/start/api.ts'

/** A deployment with 75 prefixes, some of them older versions, which lists at most thirty at a time. */
const rows = Array.from({ length: 75 }, (_, index) => ({
  id: `pfx_0_${index}`,
  name: `prefix-${String(index).padStart(2, '0')}`,
  superseded: index % 25 === 0,
}))
const asked: string[] = []
const server = createServer((request, answer) => {
  const url = new URL(request.url ?? '', 'http://localhost')
  asked.push(request.headers.authorization ?? '')
  const from = Number(url.searchParams.get('cursor') ?? 0)
  const size = Math.min(30, Number(url.searchParams.get('limit')))
  const next = from + size < rows.length ? String(from + size) : null
  answer.setHeader('content-type', 'application/json')
  answer.end(JSON.stringify({ data: rows.slice(from, from + size), next_cursor: next }))
})

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
})
afterAll(() => void server.close())

it('lists every prefix, and not the first page alone', async () => {
  const { port } = server.address() as AddressInfo
  const found = await new Api(`http://127.0.0.1:${port}`, 'key').prefixes()
  expect(found.map(({ name }) => name)).toEqual(rows.filter(({ superseded }) => !superseded).map(({ name }) => name))
  expect(asked).toEqual(['Bearer key', 'Bearer key', 'Bearer key'])
})
