import { describe, expect, it } from 'vitest'
import { anthropicBody, longText, received, useLab, warm } from '../support.ts'

const world = useLab()

const COUNT = 'v1/messages/count_tokens'
const paths = (): string[] => received(world.lab).map(({ path }) => path)
const within = (budget: number) => ({
  cache: { retention: '1h' },
  keep_warm: { plan: 'off', budget_usd_per_day: budget },
})

describe("a provider's own count", () => {
  const body = (tag: string) => ({ ...anthropicBody(`${tag} ${longText(400)}`), model: 'claude-opus-4-8' })

  it('is asked for once, and only where a budget does not hold a token for each byte', async () => {
    const dry = (await warm(body('a'), { ...within(100), dry_run: true })).json['plan'] as Record<string, unknown>
    const price = Number(dry['first_write_cost_usd'])
    expect((await warm(body('a'), within(price * 5))).status).toBe(200)
    expect(paths()).toEqual(['v1/messages'])
    expect((await warm(body('b'), within(price * 1.3))).status).toBe(200)
    expect(paths()).toEqual(['v1/messages', COUNT, 'v1/messages'])
    const poor = body('c')
    expect((await warm(poor, within(price * 0.9))).status).toBe(402)
    expect((await warm(poor, within(price * 0.9))).status).toBe(402)
    expect(paths()).toEqual(['v1/messages', COUNT, 'v1/messages', COUNT])
  })

  it('is asked for of a format that counts at another path, without what only a request takes', async () => {
    const body = (tag: string) => ({
      model: 'gpt-6-sol',
      input: [{ role: 'developer', content: [{ type: 'input_text', text: `${tag} ${longText(400)}` }] }],
      metadata: { team: 'tents' },
      store: false,
    })
    const openai = (more: object) => ({ provider: 'openai', keep_warm: { plan: 'off', ...more } })
    const dry = (await warm(body('a'), { ...openai({ budget_usd_per_day: 100 }), dry_run: true })).json['plan']
    const price = Number((dry as Record<string, unknown>)['first_write_cost_usd'])
    const tight = openai({ budget_usd_per_day: price * 2.6 })
    const same = body('b')
    const first = await warm(same, tight)
    expect([first.status, first.text]).toEqual([200, first.text])
    expect(received(world.lab).map(({ path, status }) => [path, status])).toEqual([
      ['v1/responses/input_tokens', 200],
      ['v1/responses', 200],
    ])
    expect((await warm(same, tight)).status).toBe(200)
    expect(paths().filter((path) => path.endsWith('input_tokens'))).toHaveLength(1)
    expect((await warm(body('c'), openai({ budget_usd_per_day: price * 0.5 }))).status).toBe(402)
  })

  it('is not there for a document by URL, which is refused by its path', async () => {
    const source = { type: 'url', url: 'https://example.com/catalogue.pdf' }
    const document = { type: 'document', source, cache_control: { type: 'ephemeral' } }
    const messages = [{ role: 'user', content: [document, { type: 'text', text: 'Which lamp?' }] }]
    const dry = await warm({ model: 'claude-opus-4-8', max_tokens: 9, messages }, { ...within(100), dry_run: true })
    expect(dry.text).toContain('request.messages[0].content[0]')
    expect(dry.text).toContain('unbounded_tokens')
  })
})
