import { evictDurableObject } from 'cloudflare:test'
import { exports } from 'cloudflare:workers'
import { beforeEach, describe, expect, it } from 'vitest'
import { candidateAnswer, candidatesAnswer, registerCandidateAnswer } from '../../../src/contract/candidate.ts'
import { NO_COUNTS } from '../../../src/core/model/usage.ts'
import type { Lesson } from '../../../src/registration/by-use/lesson.ts'
import { registryAt } from '../../../src/runtime/objects.ts'
import { ADMIN, bindings, call, get, newAccount, post, useLab } from '../support.ts'

useLab()

const T0 = Date.now()
let id = ''
let key = ''

beforeEach(async () => {
  ;({ id, key } = await newAccount())
})

const registry = () => registryAt(bindings, id)
const list = async (query = '') => candidatesAnswer.parse((await get(`/candidates${query}`, { key })).json)
const set = (learn: string) => call('PATCH', `/accounts/${id}`, { learn }, { key: ADMIN })

/** Calls of one head, each with a question of its own. */
const lessons = (head: string, count: number): Lesson[] =>
  Array.from({ length: count }, (_, at) => ({
    provider: 'anthropic',
    model: 'claude-opus-4-8',
    at: T0 + at,
    session: at,
    usage: { ...NO_COUNTS, inputTokens: 5_000, cacheReadTokens: 4_000, cacheWriteTokens: 0 },
    ends: [{ entry: `e${head}`, tokens: 5_000 }],
    whole: `e${head}-${at}`,
  }))

async function exported(): Promise<string> {
  const answer = await exports.default.fetch('http://pilotlight.test/export', {
    headers: { authorization: `Bearer ${key}` },
  })
  return answer.text()
}

let messages = 0
const learn = (given: Lesson[]) => {
  messages += 1
  return registry().observeOnce([{ message: `${id}-${messages}`, observed: [], lessons: given }])
}

describe('GET /candidates', () => {
  it('lists what recurs by keyed hashes, the most used first, in pages', async () => {
    expect(await list()).toEqual({ data: [], next_cursor: null, refused: [] })
    await learn([...lessons('few', 2), ...lessons('many', 4)])
    const { data } = await list()
    expect(data).toMatchObject([
      { calls: 4, estimated_sessions: 4, estimated_tokens: 5_000, usage: { calls: 4, cached_input_tokens: 16_000 } },
      { calls: 2, estimated_sessions: 2, worth_registering: false, objections: ['few_calls', 'no_saving'] },
    ])
    const first = await list('?limit=1')
    const second = await list(`?limit=1&cursor=${first.next_cursor ?? ''}`)
    expect([...first.data, ...second.data].map((one) => one.id)).toEqual(data.map((one) => one.id))
    expect(second.next_cursor).toBeNull()
    expect((await list('?worth_registering=true')).data).toEqual([])
    for (const query of ['?limit=0', '?limit=201', '?worth_registering=yes', '?cursor=x', '?other=1'])
      expect((await get(`/candidates${query}`, { key })).status).toBe(400)
  })

  it('counts a message once, and knows the same after an eviction', async () => {
    const twice = { message: `${id}-twice`, observed: [], lessons: lessons('head', 3) }
    await registry().observeOnce([twice])
    await registry().observeOnce([twice, twice])
    const before = await list()
    expect(before.data).toMatchObject([{ calls: 3 }])
    await evictDurableObject(bindings.REGISTRY.getByName(id) as never)
    expect(await list()).toEqual(before)
  })

  it('gives equal contents of two accounts ids that show no likeness', async () => {
    await learn(lessons('same', 3))
    const [one] = (await list()).data
    ;({ id, key } = await newAccount())
    await learn(lessons('same', 3))
    const [other] = (await list()).data
    expect(other).toMatchObject({ calls: one?.calls, estimated_tokens: one?.estimated_tokens })
    expect(other?.id).not.toBe(one?.id)
  })

  it('counts nothing while the account has learning off', async () => {
    expect((await set('off')).json['learn']).toBe('off')
    await learn(lessons('head', 3))
    expect((await list()).data).toEqual([])
    expect((await set('observe')).json['learn']).toBe('observe')
    await learn(lessons('head', 3))
    expect((await list()).data).toHaveLength(1)
    const refused = await set('sometimes')
    expect([refused.status, refused.text]).toEqual([400, expect.stringContaining('learn')])
  })

  it('is in the export, and goes with the prompts', async () => {
    await learn(lessons('head', 3))
    const [before] = (await list()).data
    const lines = (await exported()).trim().split('\n')
    const read = lines.map((line) => JSON.parse(line) as { type: string; candidate?: unknown })
    const [line] = read.filter(({ type }) => type === 'candidate')
    expect(candidateAnswer.parse(line?.candidate)).toMatchObject({ id: before?.id, calls: 3 })
    await call('DELETE', '/prompts', undefined, { key })
    expect((await list()).data).toEqual([])
    await learn(lessons('head', 3))
    expect((await list()).data[0]?.id).not.toBe(before?.id)
  })
})

describe('POST /candidates/{id}/register', () => {
  it('says what happens, stores no content, and is taken back by DELETE', async () => {
    await learn(lessons('head', 3))
    const [one] = (await list()).data
    const asked = await post(`/candidates/${one?.id ?? ''}/register`, { name: 'agent' }, { key })
    expect(asked.status).toBe(202)
    const { happens, ...said } = registerCandidateAnswer.parse(asked.json)
    expect(happens).toContain('Nothing of the content is stored yet')
    expect(said).toMatchObject({ id: one?.id, name: 'agent' })
    expect(said.waiting_since).not.toBeNull()
    expect((await registry().learningOrder())?.wanted).toEqual([{ id: one?.id, name: 'agent' }])
    expect((await call('DELETE', `/candidates/${one?.id ?? ''}`, undefined, { key })).json).toEqual({
      id: one?.id,
      deleted: true,
    })
    expect((await registry().learningOrder())?.wanted).toEqual([])
    expect((await list()).data).toEqual([])
  })

  it('refuses what is not there, a bad label, and an account that learns nothing', async () => {
    await learn(lessons('head', 3))
    const [one] = (await list()).data
    const path = `/candidates/${one?.id ?? ''}`
    for (const wrong of ['/candidates/cnd_0123456789abcdef', '/candidates/other']) {
      expect((await post(`${wrong}/register`, {}, { key })).status).toBe(404)
      expect((await call('DELETE', wrong, undefined, { key })).status).toBe(404)
    }
    expect((await post(`${path}/register`, { name: '' }, { key })).text).toContain('name')
    expect((await post(`${path}/register`, { plan: 'auto' }, { key })).status).toBe(400)
    await set('off')
    const refused = await post(`${path}/register`, {}, { key })
    expect([refused.status, refused.text]).toEqual([409, expect.stringContaining('learn')])
  })
})
