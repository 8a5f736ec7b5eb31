import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createLab } from '../../lab/index.ts'
import type { Lab } from '../../lab/index.ts'
import { ADMIN, anthropicBody, call, everyoneTold, get, pick, post, useLab, warmOf } from '../support.ts'

/** A provider whose address changes: prefixes that were written at the former address are warm only there. */

const world = useLab()
let engine: Lab

async function move(base_url: string | null): Promise<void> {
  await call('PATCH', '/providers/anthropic', { base_url }, { key: ADMIN })
  await everyoneTold()
}
const THERE = 'http://engine.test/anthropic'

beforeEach(() => {
  engine = createLab({
    now: () => Date.now(),
    sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    latency: 'off',
  })
  vi.spyOn(globalThis, 'fetch').mockImplementation(async (input, init) => {
    const request = new Request(input, init)
    const lab = new URL(request.url).host === 'engine.test' ? engine : world.lab
    return lab.fetch(new Request(request.url.replace('engine.test', 'lab.test'), request))
  })
})
afterEach(() => call('DELETE', '/providers/anthropic', undefined, { key: ADMIN }))

const warm = (body: unknown) => post('/warm', warmOf(body, { keep_warm: { plan: 'always' } }))

describe('a changed base_url', () => {
  it('makes prefixes of the former address cold, with the reason', async () => {
    const warmed = await warm(anthropicBody())
    const id = pick(warmed, 'id')
    expect(pick(warmed, 'warmth', 'state')).toBe('warm')
    await move(THERE)
    const shown = await get(`/prefixes/${id}`)
    expect(shown.json).toMatchObject({
      warmth: { state: 'cold', p_warm: 0, warm_until: null },
      plan: { next_probe_at: null, stopped: { reason: 'address_changed' } },
    })
    expect(pick(shown, 'warmth', 'why')).toContain('address of the provider has changed')
    expect(pick(shown, 'plan', 'stopped', 'why')).toContain('Register the prefix again with POST /warm')
    expect(pick(await get(`/prefixes/${id}/warmth`), 'state')).toBe('cold')
    const asked = await post(`/prefixes/${id}/warm`)
    expect([asked.status, pick(asked, 'error', 'kind')]).toEqual([403, 'forbidden'])
    expect(engine.transcript.list()).toEqual([])
  })

  it('makes another prefix of the same body, which is written there', async () => {
    const body = anthropicBody()
    const here = await warm(body)
    await move(THERE)
    const there = await warm(body)
    expect([pick(there, 'created'), pick(there, 'receipt', 'kind')]).toEqual([true, 'written'])
    expect(pick(there, 'id')).not.toBe(pick(here, 'id'))
    expect([world.lab, engine].map((lab) => lab.transcript.list().length)).toEqual([1, 1])
    const [first] = engine.transcript.list()
    const usage = { input_tokens: 5, cache_read_input_tokens: 3_000, cache_creation_input_tokens: 0, output_tokens: 3 }
    const used = { usage, started_at: new Date(Number(first?.at ?? 0) + 1).toISOString() }
    const answer = await post('/observations', [
      { ...used, provider: 'anthropic', request: body },
      { ...used, prefix_id: pick(here, 'id') },
    ])
    expect(pick(answer, 'data', 0)).toEqual({ prefix_id: pick(there, 'id'), matched: true })
    expect(pick(answer, 'data', 1, 'matched')).toBe(false)
  })

  it('that is withdrawn finds prefixes still warm at the former address, and continues there', async () => {
    const body = anthropicBody()
    const id = pick(await warm(body), 'id')
    await move(THERE)
    expect(pick(await get(`/prefixes/${id}`), 'warmth', 'state')).toBe('cold')
    await move(null)
    const back = await get(`/prefixes/${id}`)
    expect(back.json).toMatchObject({ warmth: { state: 'warm' }, plan: { stopped: null } })
    expect(pick(back, 'plan', 'next_probe_at')).not.toBeNull()
    expect(pick(await warm(body), 'id')).toBe(id)
  })

  it('that differs by a trailing slash changes nothing', async () => {
    const body = anthropicBody()
    await move(THERE)
    const id = pick(await warm(body), 'id')
    await move(`${THERE}/`)
    expect(pick(await get(`/prefixes/${id}`), 'warmth', 'state')).toBe('warm')
  })
})
