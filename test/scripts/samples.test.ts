import { describe, expect, it } from 'vitest'
import type { Prefix } from '../../scripts/start/api.ts'
import { loadSamples, missing } from '../../scripts/start/samples.ts'

const samples = loadSamples()

describe('the sample prefixes', () => {
  it.each(samples)('$name is as large as real ones are, with tools', ({ registration }) => {
    const text = JSON.stringify(registration['request'])
    expect(Buffer.byteLength(text) / 4).toBeGreaterThan(4_500)
    expect(text).toMatch(/look_up_order[\s\S]*escalate/)
  })

  it('are registered once: what an earlier start has registered is left alone', () => {
    const known = [{ id: 'pfx_0_1', name: 'sample-openai', provider: 'openai', model: 'm' }] satisfies Prefix[]
    expect(missing(samples, known).map(({ name }) => name)).toEqual(['sample-anthropic', 'sample-gemini'])
    expect(missing(samples, [])).toHaveLength(3)
  })
})
