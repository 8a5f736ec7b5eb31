import { describe, expect, it } from 'vitest'
import { prefixAnswer } from '../../../src/contract/prefix.ts'
import { anthropicBody, call, get, pick, post, useLab, warm } from '../support.ts'

useLab()

const WANTED = { plan: 'auto', ttft_target_ms: 800, ttft_share: 0.9 }

async function warmed(): Promise<string> {
  const answer = await warm(anthropicBody(), { keep_warm: WANTED })
  expect(answer.status).toBe(200)
  return String(pick(answer, 'id'))
}

async function report(id: string, read: number, written: number, ttft_ms: number): Promise<void> {
  const usage = {
    cache_read_input_tokens: read,
    cache_creation_input_tokens: written,
    input_tokens: 5,
    output_tokens: 5,
  }
  const answer = await post('/observations', [{ prefix_id: id, usage, started_at: new Date().toISOString(), ttft_ms }])
  expect(answer.status).toBe(200)
}

describe('a target for the first token', () => {
  it('is shown with the measured times of our calls and of real requests', async () => {
    const id = await warmed()
    const first = prefixAnswer.parse((await get(`/prefixes/${id}`)).json)
    expect(first.keep_warm).toMatchObject({ ttft_target_ms: 800, ttft_share: 0.9 })
    expect(first.ttft).toMatchObject({ warm: null, cold: { count: 1, from: 'probes' }, within_target: null })
    const tokens = first.measured_tokens ?? 0
    expect(tokens).toBeGreaterThan(1_000)
    for (const ms of [180, 220, 900]) await report(id, tokens, 0, ms)
    const used = prefixAnswer.parse((await get(`/prefixes/${id}`)).json)
    expect(used.ttft.warm).toEqual({ median_ms: 220, count: 3, from: 'requests' })
    expect(used.ttft.within_target).toBeCloseTo(2 / 3)
  })

  it('that warmth cannot reach is told as advice', async () => {
    const id = await warmed()
    const { measured_tokens } = prefixAnswer.parse((await get(`/prefixes/${id}`)).json)
    for (const ms of [1_900, 2_000, 2_100]) await report(id, measured_tokens ?? 0, 0, ms)
    const { advice } = prefixAnswer.parse((await get(`/prefixes/${id}`)).json)
    const told = advice.find(({ cause }) => cause === 'ttft_target_out_of_reach')
    expect(told?.message).toContain('90 % of requests within 800 ms to the first token (warm 2000 ms')
  })

  it('ends with null, and a share without a target is refused by name', async () => {
    const id = await warmed()
    const ended = await call('PATCH', `/prefixes/${id}`, { keep_warm: { ttft_target_ms: null } })
    expect(prefixAnswer.parse(ended.json).keep_warm).toMatchObject({ ttft_target_ms: null, ttft_share: null })
    for (const [given, field] of [
      [{ ttft_share: 0.9 }, 'keep_warm.ttft_share'],
      [{ ttft_target_ms: 0 }, 'keep_warm.ttft_target_ms'],
      [{ ttft_target_ms: 86_400_001 }, 'keep_warm.ttft_target_ms'],
      [{ ttft_target_ms: 1.5 }, 'keep_warm.ttft_target_ms'],
      [{ ttft_target_ms: 1, ttft_share: 0.49 }, 'keep_warm.ttft_share'],
      [{ ttft_target_ms: 1, ttft_share: 1 }, 'keep_warm.ttft_share'],
    ] as const) {
      const refused = await call('PATCH', `/prefixes/${id}`, { keep_warm: given })
      expect([refused.status, pick(refused, 'error', 'detail', 'field')]).toEqual([400, field])
    }
    for (const given of [
      { ttft_target_ms: 1, ttft_share: 0.5 },
      { ttft_target_ms: 86_400_000, ttft_share: 0.999 },
    ])
      expect((await call('PATCH', `/prefixes/${id}`, { keep_warm: given })).status).toBe(200)
  })
})
