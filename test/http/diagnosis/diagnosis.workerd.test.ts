import { describe, expect, it } from 'vitest'
import { diagnosisAnswer } from '../../../src/contract/diagnosis.ts'
import { call, post, received, useLab } from '../support.ts'

const world = useLab()

const RULES = 'Name the price, the weight and the season of each tent.\n'.repeat(400)
const body = (clock: string) => ({
  model: 'claude-opus-5',
  max_tokens: 100,
  system: [{ type: 'text', text: `Time: ${clock}\n${RULES}`, cache_control: { type: 'ephemeral' } }],
  messages: [{ role: 'user', content: 'Which tent?' }],
})
const written = { input_tokens: 12, cache_read_input_tokens: 0, cache_creation_input_tokens: 5_000, output_tokens: 20 }

describe('POST /diagnose', () => {
  it('says what differs, whose doing it is, and what it cost, and sends nothing', async () => {
    const { status, json } = await post('/diagnose', {
      provider: 'anthropic',
      before: { request: body('10:41:07'), usage: written, started_at: '2026-11-30T10:41:07Z' },
      after: { request: body('10:42:07'), usage: written, started_at: '2026-11-30T10:42:07Z' },
    })
    expect(status).toBe(200)
    const found = diagnosisAnswer.parse(json)
    expect(found).toMatchObject({
      verdict: 'clock_in_prefix',
      group: 'content',
      fault: 'yours',
      first_difference: { path: 'system[0].text', at: 10 },
      lost_tokens: 5_000,
    })
    // 5,000 tokens at 6.25 instead of 0.5 dollars a million.
    expect(found.cost_usd).toBeCloseTo(0.028_75, 6)
    expect(found.witnesses.map(({ kind }) => kind)).toEqual(['bytes', 'usage', 'clock'])
    expect(received(world.lab)).toEqual([])
  })

  it('takes bare bodies', async () => {
    const { json } = await post('/diagnose', {
      provider: 'anthropic',
      before: body('10:41:07'),
      after: body('10:41:07'),
    })
    expect(json).toMatchObject({ verdict: 'no_miss', cost_usd: 0 })
  })

  it.each([
    [{ provider: 'anthropic', after: body('1') }, 'before'],
    [{ provider: 'nobody', before: body('1'), after: body('2') }, 'provider'],
    [{ provider: 'anthropic', before: 7, after: body('2') }, 'before'],
    [{ provider: 'anthropic', before: { usage: 3 }, after: body('2') }, 'usage'],
    [{ provider: 'anthropic', before: body('1'), after: body('2'), between: 'all' }, 'between'],
    [{ before: { usage: written }, after: { usage: written } }, 'provider'],
  ])('refuses %j by its field', async (wrong, field) => {
    const { status, json } = await post('/diagnose', wrong)
    expect(status).toBe(400)
    expect(JSON.stringify(json)).toContain(field)
  })

  it('needs a key', async () => {
    expect((await call('POST', '/diagnose', {}, { key: null })).status).toBe(401)
  })
})
