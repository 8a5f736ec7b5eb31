import { afterEach, beforeEach, expect, vi } from 'vitest'
import { DAY_MS } from '../../../src/core/time/time.ts'
import { longText, post, warmOf } from '../support.ts'
import type { World } from '../support.ts'

export const HOUR_MARKER = '"cache_control":{"type":"ephemeral","ttl":"1h"}'
export const question = { messages: [{ role: 'user', content: 'Which tent for two?' }] }

/**
 * A calendar for the tests of a `describe`, a day later for each. It lies in the future of the machine's clock, so that alarms
 * fire only in tests that let them.
 */
export function useCalendar(world: World) {
  let time = Date.UTC(2031, 0, 6, 12)
  const pass = (ms: number): void => {
    time += ms
    vi.setSystemTime(time)
  }
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['Date'] })
    pass(DAY_MS)
  })
  afterEach(() => {
    vi.useRealTimers()
  })
  return {
    pass,
    /** Sends a real request past Pilotlight, and reports what it used. */
    async use(id: unknown, body: unknown): Promise<Record<string, unknown>> {
      const answer = await world.lab.fetch(
        new Request('http://lab.test/anthropic/v1/messages', {
          method: 'POST',
          body: JSON.stringify(body),
          headers: { 'content-type': 'application/json', 'x-api-key': 'lab', 'anthropic-version': '2023-06-01' },
        }),
      )
      const { usage } = (await answer.json()) as { usage: Record<string, unknown> }
      const report = [{ prefix_id: id, usage, started_at: new Date(time).toISOString() }]
      expect((await post('/observations', report)).status).toBe(200)
      return usage
    },
  }
}

/** A body without a cache marker. */
export function unmarked(text = longText()) {
  return { model: 'claude-opus-5', max_tokens: 512, system: [{ type: 'text', text }], ...question }
}

/** The real request of a caller who marks the end of the same prefix. */
export function marked(body: ReturnType<typeof unmarked>, ttl: '5m' | '1h') {
  const system = body.system.map((block) => ({ ...block, cache_control: { type: 'ephemeral', ttl } }))
  return { ...body, system }
}

export function auto(request: unknown, more: object = {}): Record<string, unknown> {
  return warmOf(request, { keep_warm: { plan: 'auto' }, ...more })
}
