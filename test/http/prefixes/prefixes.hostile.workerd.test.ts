import { beforeAll, describe, expect, it } from 'vitest'
import { errorAnswer } from '../../../src/contract/failure-answer.ts'
import { ADMIN, anthropicBody, call, get, newAccount, pick, post, useLab, warm, warmedId } from '../support.ts'

const world = useLab()

let account: { id: string; key: string }

beforeAll(async () => {
  account = await newAccount()
})

const LISTS = [
  '/prefixes',
  '/caches?provider=gemini',
  '/ledger',
  '/ledger?group=day',
  '/ledger?group=prefix',
  '/gateways',
  '/accounts',
] as const

const HUGE = Number.MAX_SAFE_INTEGER
const CURSORS: unknown[] = [
  null,
  0,
  'x',
  [],
  {},
  { k: -1 },
  { k: HUGE },
  { k: '1 OR 1=1' },
  { k: 1.5 },
  { seq: HUGE },
  { before: HUGE },
  { before: 0 },
  { day: '9999-99-99' },
  { day: `2026-11-21' --` },
  { after: '\u0000' },
  { after: 'zzzz' },
  { in: 'prefixes', k: HUGE, at: -1e300, shown: HUGE },
  { in: 'prefixes', k: 0, at: 1e300, shown: 0 },
  { in: 'bots', seq: HUGE },
  { in: 'caches', seq: 0 },
  { in: '__proto__', seq: 0 },
  { at: 0, shown: HUGE, order: 'asc' },
]

const asCursor = (text: string): string => Buffer.from(text).toString('base64url')

describe('a forged cursor', () => {
  const texts = [
    ...CURSORS.map((value) => asCursor(JSON.stringify(value))),
    asCursor('{"k":1e400}'),
    asCursor('{"k":1,"__proto__":{}}'),
    asCursor('{'),
    '%00',
    '%F0%28',
    '....',
    'a'.repeat(501),
  ]
  it.each(LISTS)('of %s is refused by name, or gives a page', async (path) => {
    const key = path === '/accounts' ? ADMIN : account.key
    for (const text of texts) {
      const answer = await get(`${path}${path.includes('?') ? '&' : '?'}cursor=${text}`, { key })
      if (answer.status === 200) {
        expect(Array.isArray(answer.json['data'])).toBe(true)
        continue
      }
      expect([text, answer.status]).toEqual([text, 400])
      expect(errorAnswer.parse(answer.json).error.detail?.['field']).toBe('cursor')
    }
  })
})

it.each(['0', '-1', '1e3', '1.5', '999999', '1000000000', 'NaN', '', ' 5', '0x10', '٣'])(
  'a limit of "%s" is refused by name',
  async (limit) => {
    for (const path of ['/prefixes', '/ledger', '/caches?provider=gemini']) {
      const answer = await get(`${path}${path.includes('?') ? '&' : '?'}limit=${encodeURIComponent(limit)}`, {
        key: account.key,
      })
      expect([path, answer.status]).toEqual([path, 400])
      expect(errorAnswer.parse(answer.json).error.detail?.['field']).toBe('limit')
    }
  },
)

describe('a resource of another account', () => {
  it('is not found by any route', async () => {
    const id = await warmedId(anthropicBody())
    await call('PUT', '/gateways/theirs', { models: [{ name: 'a', model: 'anthropic/claude-opus-5' }] })
    const bot = String(pick(await post('/bots', { provider: 'anthropic', model: 'claude-opus-5' }), 'id'))
    const { key } = account
    const asked: [string, string, unknown?][] = [
      ['GET', `/prefixes/${id}`],
      ['GET', `/prefixes/${id}/history`],
      ['GET', `/prefixes/${id}/request`],
      ['POST', `/prefixes/${id}/lease`, {}],
      ['POST', `/prefixes/${id}/lease`, { lease: `lse_${'0'.repeat(24)}`, outcome: 'readable' }],
      ['POST', `/prefixes/${id}/warm`, {}],
      ['POST', `/prefixes/${id}/signals`, { kind: 'end' }],
      ['PATCH', `/prefixes/${id}`, { name: 'mine' }],
      ['DELETE', `/prefixes/${id}`],
      ['GET', '/gateways/theirs'],
      ['DELETE', '/gateways/theirs'],
      ['POST', '/warm', { gateway: 'theirs', system: 'x' }],
      ['GET', `/bots/${bot}`],
      ['POST', `/bots/${bot}/messages`, { text: 'Hello' }],
      ['GET', `/bots/${bot}/snapshot`],
      ['DELETE', `/bots/${bot}`],
    ]
    for (const [method, path, body] of asked) {
      const { status } = await call(method, path, body, { key })
      expect([method, path, status]).toEqual([method, path, 404])
    }
    expect((await get(`/prefixes/${id}`)).status).toBe(200)
  })
})

it('a barrier replaces leaders that die one at a time until all 200 waiters are through', async () => {
  world.lab.faults.add({ kind: 'server_error', times: 1 })
  const id = String(pick(await warm(anthropicBody()), 'error', 'detail', 'prefix_id'))
  let leaders = 0
  const one = async (): Promise<string> => {
    const { json } = await post(`/prefixes/${id}/lease`, { wait: '60s', lead_for: '5s' })
    if (json['role'] !== 'leader') return String(json['role'])
    leaders += 1
    // The first two never report: each holds the others up for the time it asked for.
    if (leaders < 3) return 'dead'
    const told = await post(`/prefixes/${id}/lease`, { lease: json['lease'], outcome: 'readable' })
    return String(told.json['role'])
  }
  const roles = await Promise.all(Array.from({ length: 200 }, one))
  expect(leaders).toBe(3)
  expect(roles.filter((role) => role === 'dead')).toHaveLength(2)
  expect(roles.filter((role) => role === 'ready')).toHaveLength(198)
}, 80_000)
