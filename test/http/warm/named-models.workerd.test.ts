import { describe, expect, it } from 'vitest'
import { get, longText, pick, post, received, useLab } from '../support.ts'

const world = useLab()
const ARN = 'arn:aws:bedrock:us-east-1:123456789012'
const converse = () => ({ system: [{ text: longText() }, { cachePoint: { type: 'default' } }], messages: [] })
const dryRun = (more: object) => post('/warm', { dry_run: true, keep_warm: { plan: 'always' }, ...more })

describe('a model that its name does not show', () => {
  it('is found in the ARN of a system-defined profile', async () => {
    const model = `${ARN}:inference-profile/us.anthropic.claude-sonnet-4-5-20250929-v1:0`
    const found = await dryRun({ provider: 'bedrock', model, request: converse() })
    expect(pick(found, 'plan', 'probe_cost_usd')).toEqual(expect.any(Number))
    expect(pick(found, 'model')).toBe(model)
  })

  it('is what base_model says', async () => {
    const model = `${ARN}:application-inference-profile/a1b2c3d4e5f6`
    const request = converse()
    const unknown = await dryRun({ provider: 'bedrock', model, request })
    expect(pick(unknown, 'plan', 'probe_cost_usd')).toBeNull()
    const base = 'us.anthropic.claude-sonnet-4-5-20250929-v1:0'
    const known = await dryRun({ provider: 'bedrock', model, base_model: base, request })
    const plain = await dryRun({ provider: 'bedrock', model: base, request })
    expect(pick(known, 'plan', 'probe_cost_usd')).toBe(pick(plain, 'plan', 'probe_cost_usd'))
    expect(pick(known, 'model')).toBe(model)
  })

  it('stays what base_model said, for the plan of the prefix', async () => {
    const request = {
      model: 'lab-deployment',
      max_tokens: 9,
      system: [{ type: 'text', text: longText(), cache_control: { type: 'ephemeral' } }],
      messages: [],
    }
    const asked = { provider: 'anthropic', request, keep_warm: { plan: 'always' } }
    const without = await post('/warm', asked)
    expect(pick(without, 'plan', 'stopped')).not.toBeNull()
    const warmed = await post('/warm', { ...asked, base_model: 'claude-opus-4-8' })
    expect(warmed.json).toMatchObject({ id: without.json['id'], created: false })
    expect(pick(warmed, 'receipt', 'cost_usd')).toEqual(expect.any(Number))
    const again = await post(`/prefixes/${pick(warmed, 'id')}/warm`)
    expect(pick(again, 'receipt', 'cost_usd')).toEqual(expect.any(Number))
  })
})

describe('Claude on Vertex', () => {
  it('is warmed by the name with its date, and read by the next probe', async () => {
    const system = [{ type: 'text', text: longText(), cache_control: { type: 'ephemeral' } }]
    const asked = {
      provider: 'vertex',
      model: 'claude-sonnet-4-5@20250929',
      request: { anthropic_version: 'vertex-2023-10-16', max_tokens: 9, temperature: 0, system, messages: [] },
      keep_warm: { plan: 'off' },
    }
    const first = await post('/warm', asked)
    expect(first.json).toMatchObject({ receipt: { kind: 'written', primitive: 'one_token' } })
    expect(pick(first, 'receipt', 'cost_usd')).toEqual(expect.any(Number))
    expect((await post('/warm', asked)).json).toMatchObject({ created: false, receipt: { kind: 'full' } })
    expect(received(world.lab)[0]?.path).toContain('publishers/anthropic/models/claude-sonnet-4-5@20250929:rawPredict')
    const shown = await get(`/prefixes/${pick(first, 'id')}`)
    expect(shown.json).toMatchObject({ provider: 'vertex-anthropic', model: 'claude-sonnet-4-5@20250929' })
  })
})
