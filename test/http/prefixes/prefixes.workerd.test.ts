import { evictDurableObject } from 'cloudflare:test'
import { describe, expect, it } from 'vitest'
import { historyAnswer } from '../../../src/contract/history.ts'
import { previewAnswer, requestAnswer } from '../../../src/contract/prefix.ts'
import { listOf } from '../../../src/contract/values.ts'
import {
  billed,
  ADMIN,
  anthropicBody,
  bindings,
  call,
  get,
  longText,
  newAccount,
  pagesOf,
  pick,
  post,
  useLab,
  warm,
  warmedId,
} from '../support.ts'
import { auto, HOUR_MARKER, question, unmarked, useCalendar } from '../warm/support.ts'

const world = useLab()

describe('lists', () => {
  it('show each prefix once, the newest first, in pages, and filter', async () => {
    const { key } = await newAccount()
    const ids: unknown[] = []
    for (let index = 0; index < 5; index++) {
      ids.unshift(await warmedId(anthropicBody(), { name: `n${index}` }, { key }))
    }
    const { rows, pages } = await pagesOf('/prefixes?limit=2', { key })
    expect(rows.map((row) => (row as { id: string }).id)).toEqual(ids)
    expect(pages).toBe(3)
    const count = async (query: string): Promise<number> =>
      (pick(await get(`/prefixes?${query}`, { key }), 'data') as unknown[]).length
    expect(await count('name=n3')).toBe(1)
    expect(await count('provider=openai')).toBe(0)
    expect(await count('provider=anthropic&state=warm')).toBe(5)
    expect(await count('stopped=true')).toBe(5) // their plan is off
    expect(await count('stopped=false')).toBe(0)
  })
})

describe('a prefix with two names', () => {
  it('is found by either, and loses both when its name is set to null', async () => {
    const { key } = await newAccount()
    const body = anthropicBody()
    const id = await warmedId(body, { name: 'handbook' }, { key })
    await warm(body, { name: 'manual' }, { key })
    const found = async (name: string) =>
      (pick(await get(`/prefixes?name=${name}`, { key }), 'data') as { id: string }[]).map((one) => one.id)
    expect([await found('handbook'), await found('manual'), await found('other')]).toEqual([[id], [id], []])
    expect((await call('PATCH', `/prefixes/${String(id)}`, { name: null }, { key })).status).toBe(200)
    expect([await found('handbook'), await found('manual')]).toEqual([[], []])
  })
})

describe('a history', () => {
  it('lists receipts, arrivals and decisions in order, in pages', async () => {
    const id = await warmedId(anthropicBody(), { keep_warm: { plan: 'always' } })
    for (let index = 0; index < 4; index++) await post(`/prefixes/${id}/warm`)
    const usage = { input_tokens: 10, cache_read_input_tokens: 3_313, cache_creation_input_tokens: 0, output_tokens: 5 }
    await post('/observations', [{ prefix_id: id, usage, started_at: Date.now() }])
    const whole = listOf(historyAnswer).parse((await get(`/prefixes/${id}/history`)).json)
    expect(whole.data.filter(({ type }) => type === 'receipt')).toHaveLength(5)
    expect(whole.data.some((row) => row.type === 'decision' && row.why !== '')).toBe(true)
    expect(whole.data.at(-1)).toMatchObject({ type: 'arrival', count: 1, hits: 1 })
    const times = whole.data.map(({ at }) => Date.parse(at))
    expect(times).toEqual(times.toSorted((a, b) => a - b))

    for (const order of ['asc', 'desc'] as const) {
      const { rows } = await pagesOf(`/prefixes/${id}/history?limit=2&order=${order}`)
      expect(rows).toEqual(order === 'asc' ? whole.data : whole.data.toReversed())
    }
    const receipts = pick(await get(`/prefixes/${id}/history?type=receipt`), 'data') as { kind: string }[]
    expect(receipts.map(({ kind }) => kind)).toEqual(['written', 'full', 'full', 'full', 'full'])
    await evictDurableObject(bindings.REGISTRY.getByName('dev'))
    expect((await get(`/prefixes/${id}/history`)).json).toEqual(whole)
  })
})

describe('a preview', () => {
  it('shows the cost of another plan on the observed idle gaps, and changes nothing', async () => {
    const id = (await warm()).json['id'] as string
    const before = (await get(`/prefixes/${id}`)).json
    const unseen = await post(`/prefixes/${id}/preview`, { keep_warm: { plan: 'always' } })
    expect(unseen.json).toMatchObject({
      id,
      gaps: 0,
      keep_warm: { plan: 'always' },
      how: expect.stringContaining('No real request'),
    })
    const usage = { input_tokens: 9, cache_read_input_tokens: 4000, cache_creation_input_tokens: 0, output_tokens: 3 }
    await post('/observations', [{ prefix_id: id, usage, started_at: Date.now() }])
    const seen = await post(`/prefixes/${id}/preview`, { keep_warm: { plan: { probes: 3 } } })
    expect(seen.status).toBe(200)
    expect(previewAnswer.parse(seen.json).retentions.map(({ retention }) => retention)).toEqual(['5m', '1h'])
    expect(seen.json['how']).toContain('No idle gap has ended yet. Replayed over the time since')
    expect(seen.json['how']).toContain('The plan decides each gap from the gaps and requests before it')
    expect((await get(`/prefixes/${id}`)).json['keep_warm']).toEqual(before['keep_warm'])
  })

  it('names the wrong field of a plan, and finds no unknown prefix', async () => {
    const id = (await warm()).json['id'] as string
    const wrong = await post(`/prefixes/${id}/preview`, { keep_warm: { plan: 'often' } })
    expect(wrong.status).toBe(400)
    expect(wrong.text).toContain('keep_warm.plan')
    expect((await post(`/prefixes/${id}/preview`, {})).status).toBe(400)
    expect((await post(`/prefixes/pfx_0_${'0'.repeat(24)}/preview`, { keep_warm: {} })).status).toBe(404)
  })
})

describe('a prefix', () => {
  it('becomes a new version when its body changes, and stops the old one once it is warm', async () => {
    const plan = { name: 'versions', keep_warm: { plan: 'always' } }
    const first = await warm(anthropicBody(), plan)
    const second = await warm(anthropicBody(), plan)
    expect([pick(first, 'version'), pick(second, 'version')]).toEqual([1, 2])
    expect((await get(`/prefixes/${pick(first, 'id')}`)).json).toMatchObject({
      superseded: true,
      plan: { next_probe_at: null, stopped: { reason: 'superseded' } },
    })
  })

  it('changes its plan member by member, and its name', async () => {
    const id = await warmedId(anthropicBody(), { keep_warm: { plan: { probes: 3 }, idle_timeout: '6h' } })
    const windows = [{ days: 'mon-fri', from: '06:00', to: '23:00', time_zone: 'Europe/Berlin' }]
    const changed = await call('PATCH', `/prefixes/${id}`, {
      name: 'new name',
      keep_warm: { windows, budget_usd_per_day: 2.5 },
    })
    expect(changed.json).toMatchObject({
      name: 'new name',
      keep_warm: {
        plan: { probes: 3 },
        idle_timeout: '6h',
        windows: [{ days: 'mon,tue,wed,thu,fri', from: '06:00', to: '23:00', time_zone: 'Europe/Berlin' }],
        budget_usd_per_day: 2.5,
      },
    })
    const cleared = await call('PATCH', `/prefixes/${id}`, {
      name: null,
      keep_warm: { idle_timeout: null, plan: 'off' },
    })
    expect(cleared.json).toMatchObject({
      name: null,
      keep_warm: { plan: 'off', idle_timeout: null },
      plan: { stopped: { reason: 'plan_off' } },
    })
  })

  it('is warmed again on request, and gone when deleted', async () => {
    const id = await warmedId()
    expect((await post(`/prefixes/${id}/warm`)).json).toMatchObject({ id, created: false, receipt: { kind: 'full' } })
    const later = await post(`/prefixes/${id}/warm`, { background: true })
    expect([later.status, pick(later, 'job', 'prefix_id')]).toEqual([202, id])
    expect((await call('DELETE', `/prefixes/${id}`)).json).toEqual({ id, deleted: true })
    for (const path of ['', '/warmth', '/history', '/request'])
      expect((await get(`/prefixes/${id}${path}`)).status).toBe(404)
  })

  it('refuses a warm that exceeds the budget of the day, and stays registered', async () => {
    const answer = await warm(anthropicBody(), { keep_warm: { budget_usd_per_day: 0.000001 } })
    expect(answer.status).toBe(402)
    const id = pick(answer, 'error', 'detail', 'prefix_id')
    expect((await get(`/prefixes/${id}`)).status).toBe(200)
    expect(billed(world.lab)).toEqual([])
  })

  it('is neither warmed nor probed while the kill switch is on, and continues afterwards', async () => {
    const { id: account, key } = await newAccount()
    const id = await warmedId(anthropicBody(), { keep_warm: { plan: 'always' } }, { key })
    const thrown = await post('/kill-switch', { on: true }, { key: ADMIN })
    expect(thrown.json).toMatchObject({ on: true, failed: 0 })
    expect((await post(`/prefixes/${id}/warm`, {}, { key })).json).toMatchObject({ error: { kind: 'forbidden' } })
    expect(pick(await get(`/accounts/${account}`, { key: ADMIN }), 'global_kill_switch')).toBe(true)
    const late = await newAccount()
    expect((await warm(anthropicBody(), {}, { key: late.key })).status).toBe(403)
    await post('/kill-switch', { on: false }, { key: ADMIN })
    expect((await post(`/prefixes/${id}/warm`, {}, { key })).status).toBe(200)
  })
})

describe('the body that real requests begin with', () => {
  const { use } = useCalendar(world)
  const shownOf = async (id: unknown) => requestAnswer.parse((await get(`/prefixes/${id}/request`)).json)
  const asked = (text: string) => {
    const body = JSON.parse(text) as { messages?: unknown[] }
    return { ...body, messages: [...(body.messages ?? []), ...question.messages] }
  }

  it('carries the missing marker, so that a real request reads what a warm wrote', async () => {
    const id = pick(await post('/warm', auto(unmarked())), 'id')
    await post(`/prefixes/${id}/warm`, {})
    const shown = await shownOf(id)
    expect(shown.advice).toEqual((await get(`/prefixes/${id}`)).json['advice'])
    expect(shown.advice.map(({ cause }) => cause)).toContain('no_marker')
    expect(shown.body).not.toContain('cache_control')
    expect(shown.marked_body).toContain(HOUR_MARKER)
    expect(await use(id, asked(shown.body))).toMatchObject({ cache_read_input_tokens: 0 })
    const usage = await use(id, asked(shown.marked_body ?? ''))
    expect(Number(usage['cache_read_input_tokens'])).toBeGreaterThan(1_000)
  })

  it('has a block instead of a system prompt in a string, and is the same prefix', async () => {
    const body = { ...unmarked(), system: longText() }
    const rendered = await post('/render', auto(body))
    const warmed = await post('/warm', auto(body))
    const { marked_body } = await shownOf(pick(warmed, 'id'))
    expect(pick(rendered, 'marked_body')).toBe(marked_body)
    const usage = await use(pick(warmed, 'id'), asked(marked_body ?? ''))
    expect(Number(usage['cache_read_input_tokens'])).toBeGreaterThan(1_000)
    const again = await post('/warm', auto(asked(marked_body ?? '')))
    expect(again.json).toMatchObject({ id: pick(warmed, 'id'), created: false })
  })

  it('is the registered body where its end is marked at the retention in force', async () => {
    const { marked_body, body } = await shownOf(pick(await post('/warm', auto(anthropicBody())), 'id'))
    expect(body).toContain('cache_control')
    expect(marked_body).toBeNull()
    const rendered = await post('/warm', { provider: 'anthropic', model: 'claude-opus-5', system: longText() })
    expect((await shownOf(pick(rendered, 'id'))).marked_body).toBeNull()
  })
})
