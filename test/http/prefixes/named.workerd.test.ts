import { beforeEach, describe, expect, it } from 'vitest'
import { call, longText, newAccount, pick, useLab, warmOf } from '../support.ts'
import { anthropicBody } from '../support.ts'

useLab()

let key = ''
let id = ''

beforeEach(async () => {
  ;({ key } = await newAccount())
  id = await register('support agent/éß')
})

async function register(name: string, text = longText()): Promise<string> {
  const answer = await call('POST', '/warm', warmOf(anthropicBody(text), { name }), { key })
  expect(answer.status).toBe(200)
  return String(pick(answer, 'id'))
}

const NAMED = `/prefixes/${encodeURIComponent('support agent/éß')}`

const SOON = { at: new Date(Date.now() + 3_600_000).toISOString() }

/** Every route below a prefix, with a body that it accepts. */
const ROUTES: readonly (readonly [method: string, below: string, body?: unknown])[] = [
  ['GET', ''],
  ['PATCH', '', { keep_warm: { plan: 'off' } }],
  ['GET', '/warmth'],
  ['GET', '/history'],
  ['GET', '/request'],
  ['POST', '/warm', {}],
  ['POST', '/lease', { wait: 0 }],
  ['POST', '/preview', { keep_warm: { plan: 'always' } }],
  ['POST', '/diagnose', { request: anthropicBody() }],
  ['POST', '/signals', { kind: 'end' }],
  ['POST', '/announce', SOON],
  ['DELETE', '/announce'],
  ['DELETE', ''],
]

describe('a name in place of an id', () => {
  it.each(ROUTES.map(([method, below, body]) => ({ method, below, body })))(
    '$method /prefixes/{name}$below',
    async ({ method, below, body }) => {
      if (method === 'DELETE' && below === '/announce') await call('POST', NAMED + below, SOON, { key })
      const answer = await call(method, NAMED + below, body, { key })
      expect([answer.status, answer.text]).toEqual([200, expect.any(String)])
      if (pick(answer, 'id') !== undefined) expect(pick(answer, 'id')).toBe(id)
    },
  )

  it('is its current version, also where that is an older prefix', async () => {
    const [first, second] = [longText(), `${longText()} Two.`]
    const older = await register('shop', first)
    const newer = await register('shop', second)
    expect(pick(await call('GET', '/prefixes/shop', undefined, { key }), 'id')).toBe(newer)
    await register('shop', first)
    expect(pick(await call('GET', '/prefixes/shop', undefined, { key }), 'id')).toBe(older)
  })

  it('that nobody holds is not found, with the nearest one', async () => {
    const answer = await call('GET', '/prefixes/Suport%20agent%2F%C3%A9%C3%9F', undefined, { key })
    expect(answer.status).toBe(404)
    expect(pick(answer, 'error', 'message')).toBe(
      'There is no prefix with this id or name. Did you mean "support agent/éß"? GET /prefixes lists them.',
    )
  })

  it('is of one account alone', async () => {
    const other = await newAccount()
    const answer = await call('GET', NAMED, undefined, { key: other.key })
    expect([answer.status, answer.text.includes('support')]).toEqual([404, false])
  })

  it('with the form of an id is an id, and one that can be no name is not found', async () => {
    const like = 'pfx_0_0123456789abcdef01234567'
    await register(like)
    expect((await call('GET', `/prefixes/${like}`, undefined, { key })).status).toBe(404)
    for (const wrong of ['a'.repeat(201), '%00', '%E0%A4%A'])
      expect([wrong, (await call('GET', `/prefixes/${wrong}`, undefined, { key })).status]).toEqual([wrong, 404])
  })
})

describe('paths', () => {
  it('a slash too much is forgiven, at the end and after a base URL', async () => {
    for (const path of ['/prefixes/', '//prefixes', `/prefixes/${id}/`, `//prefixes//${id}/warmth/`, '/health/'])
      expect([path, (await call('GET', path, undefined, { key })).status]).toEqual([path, 200])
  })

  it('a wrong method is 405 with the methods that the path has', async () => {
    for (const [method, path, allowed] of [
      ['GET', '/warm', 'POST'],
      ['POST', '/prefixes', 'GET, HEAD'],
      ['PUT', `/prefixes/${id}`, 'GET, HEAD, PATCH, DELETE'],
      ['DELETE', '/observations', 'POST'],
    ] as const) {
      const answer = await call(method, path, undefined, { key })
      expect([path, answer.status, answer.headers.get('allow')]).toEqual([path, 405, allowed])
      expect(pick(answer, 'error', 'kind')).toBe('method_not_allowed')
    }
    const options = await call('OPTIONS', '/warm', undefined, { key })
    expect([options.status, options.headers.get('allow')]).toEqual([204, 'POST'])
  })

  it('a path that does not exist names the nearest one, and nothing of what was in it', async () => {
    for (const [path, near] of [
      ['/prefixs', '/prefixes'],
      ['/Warm', '/warm'],
      [`/prefixes/${id}/histry`, '/prefixes/{id}/history'],
      ['/account/shop', '/accounts/{id}'],
      ['/somewhere/else', null],
    ] as const) {
      const { status, text } = await call('GET', path, undefined, { key })
      expect([path, status]).toEqual([path, 404])
      expect([path, /Did you mean (\S+)\?/.exec(text)?.[1] ?? null]).toEqual([path, near])
      expect(text).not.toContain(id)
    }
  })
})
