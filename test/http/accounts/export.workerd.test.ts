import { exports } from 'cloudflare:workers'
import { describe, expect, it } from 'vitest'
import {
  ADMIN,
  anthropicBody,
  call,
  get,
  longText,
  newAccount,
  pick,
  post,
  received,
  useLab,
  warmedId,
} from '../support.ts'

const world = useLab()
const admin = { key: ADMIN }

type Line = Record<string, unknown> & { type: string }

/** The lines of an export: the answer is not one JSON text. */
async function linesOf(path: string, key: string): Promise<Line[]> {
  const request = new Request(`http://pilotlight.test${path}`, { headers: { authorization: `Bearer ${key}` } })
  const answer = await exports.default.fetch(request)
  expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'application/x-ndjson'])
  const text = await answer.text()
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Line)
}

async function page(
  path: string,
  key: string,
): Promise<{ lines: Line[]; next: string | null; failure: string | null }> {
  const lines = await linesOf(path, key)
  const last = lines.pop()
  expect(last?.type).toBe('page')
  return { lines, next: last?.['next_cursor'] as string | null, failure: last?.['failure'] as string | null }
}

/** All lines, page by page. */
async function all(path: string, key: string, limit: number): Promise<{ lines: Line[]; pages: number }> {
  const lines: Line[] = []
  let next: string | null = null
  let pages = 0
  do {
    const one = await page(`${path}?limit=${limit}${next === null ? '' : `&cursor=${next}`}`, key)
    expect(one.failure).toBeNull()
    expect(one.lines.length).toBeLessThanOrEqual(limit)
    lines.push(...one.lines)
    next = one.next
    pages += 1
  } while (next !== null)
  return { lines, pages }
}

/** Prompts of one and a half megabytes each, more than a page holds. */
const LARGE = 7

const EMPTY = { type: 'page', next_cursor: null, failure: null }

/** An account with a bit of everything, and what it holds. */
async function furnished() {
  const { id, key } = await newAccount()
  await call('PATCH', `/accounts/${id}`, { allowed_secrets: ['ANTHROPIC_API_KEY', 'GEMINI_API_KEY'] }, admin)
  await call(
    'PUT',
    `/accounts/${id}/credentials/team`,
    { provider: 'anthropic', secret: 'a-secret-that-nobody-sees' },
    admin,
  )
  const models = [{ name: 'one', provider: 'anthropic', model: 'claude-opus-5' }]
  await call('PUT', '/gateways/desk', { models }, { key })
  const bodies = [anthropicBody(), anthropicBody(), anthropicBody()]
  const ids: string[] = []
  for (const body of bodies) ids.push(await warmedId(body, {}, { key }))
  const contents = longText()
  const cache = await post(
    '/caches',
    { provider: 'gemini', model: 'gemini-3.8-flash', system: contents, ttl: '10m' },
    { key },
  )
  expect([cache.status, cache.text]).toEqual([201, expect.any(String)])
  const prompt = longText(1)
  const bot = await post('/bots', { provider: 'anthropic', model: 'claude-opus-5', system_prompt: prompt }, { key })
  expect(bot.status).toBe(201)
  return { id, key, bodies, ids, contents, prompt, cache: pick(cache, 'id'), bot: pick(bot, 'id') }
}

describe('an export', () => {
  it('holds all that is stored, with prompts and without secrets, for account and administrator', async () => {
    const { id, key, bodies, ids, contents, prompt, cache, bot } = await furnished()
    const sent = received(world.lab).length
    const { lines } = await page('/export', key)
    const of = (type: string) => lines.filter((line) => line.type === type)
    expect(of('account')).toMatchObject([{ account: { id, kill_switch: false } }])
    expect(of('key')).toMatchObject([{ key: { access: 'full' } }])
    expect(of('credential')).toMatchObject([{ credential: { name: 'team', generation: 1 } }])
    expect(of('gateway')).toMatchObject([{ gateway: { name: 'desk' } }])
    expect(of('ledger_day')).toHaveLength(1)
    expect(
      of('prefix')
        .map((line) => (line['prefix'] as { id: string }).id)
        .toSorted(),
    ).toEqual(ids.toSorted())
    for (const line of of('prefix')) {
      const at = ids.indexOf((line['prefix'] as { id: string }).id)
      const system = (bodies[at]?.['system'] as { text: string }[] | undefined)?.[0]?.text
      expect(JSON.parse(String(line['body']))).toMatchObject({ system: [{ text: system }] })
      expect(line['history']).toEqual(expect.arrayContaining([expect.objectContaining({ type: 'receipt' })]))
    }
    expect(of('cache')).toMatchObject([{ cache: { id: cache } }])
    expect(JSON.stringify(of('cache'))).toContain(contents)
    expect(of('bot')).toMatchObject([{ id: bot, problem: null }])
    expect(JSON.stringify(of('bot'))).toContain(prompt)
    const text = JSON.stringify(lines)
    for (const secret of [key, 'a-secret-that-nobody-sees']) expect(text).not.toContain(secret)
    expect(received(world.lab)).toHaveLength(sent)
    const administrators = await page(`/accounts/${id}/export`, ADMIN)
    expect(administrators.lines.map(({ type }) => type)).toEqual(lines.map(({ type }) => type))
    const read = await post(`/accounts/${id}/keys`, { access: 'read' }, admin)
    expect((await page('/export', String(pick(read, 'key')))).lines).toHaveLength(lines.length + 1)
  })

  it('is the same in pages of any size, each of which goes on where the last one ended', async () => {
    const { key } = await furnished()
    const whole = (await page('/export', key)).lines
    for (const limit of [1, 2, 3]) {
      const { lines, pages } = await all('/export', key, limit)
      expect(lines.map((line) => [line.type, line['id'], (line['prefix'] as { id?: string } | undefined)?.id])).toEqual(
        whole.map((line) => [line.type, line['id'], (line['prefix'] as { id?: string } | undefined)?.id]),
      )
      expect(pages).toBeGreaterThanOrEqual(Math.ceil(whole.length / limit))
    }
  })

  it('ends a page after some megabytes, and reads no more than its reader takes', async () => {
    const { id, key } = await newAccount()
    await call('PATCH', `/accounts/${id}`, { allowed_secrets: ['ANTHROPIC_API_KEY'] }, admin)
    const roomy = { keep_warm: { plan: 'off', budget_usd_per_day: 100 } }
    for (let n = 0; n < LARGE; n += 1) await warmedId(anthropicBody(longText(17_000)), roomy, { key })
    const first = await page('/export', key)
    expect(first.next).not.toBeNull()
    expect(first.lines.filter(({ type }) => type === 'prefix').length).toBeLessThan(LARGE)
    const { lines } = await all('/export', key, 200)
    expect(lines.filter(({ type }) => type === 'prefix')).toHaveLength(LARGE)
    const answer = await exports.default.fetch(
      new Request('http://pilotlight.test/export', { headers: { authorization: `Bearer ${key}` } }),
    )
    const reader = answer.body?.getReader()
    const read = await reader?.read()
    expect(new TextDecoder().decode(read?.value)).toMatch(/^\{"type":"account"/)
    await reader?.cancel()
  })

  it('of an empty account is its settings, its key and the end', async () => {
    const { key } = await newAccount()
    const lines = await linesOf('/export', key)
    expect(lines).toMatchObject([{ type: 'account' }, { type: 'key' }, EMPTY])
  })

  it('is refused with the field for a strange cursor or limit, and to other keys', async () => {
    const { id, key } = await newAccount()
    for (const [query, field] of [
      ['cursor=x', 'cursor'],
      ['limit=0', 'limit'],
      ['limit=1001', 'limit'],
      ['format=csv', 'format'],
    ]) {
      const answer = await get(`/export?${query}`, { key })
      expect([answer.status, pick(answer, 'error', 'detail', 'field')]).toEqual([400, field])
    }
    expect((await get(`/accounts/${id}/export`, { key })).status).toBe(403)
    expect((await get('/export', admin)).status).toBe(403)
    expect((await get('/accounts/nobody/export', admin)).status).toBe(404)
    expect((await get('/export', { key: null })).status).toBe(401)
  })
})
