import { afterEach, describe, expect, it, vi } from 'vitest'
import { anthropic, begin, openai, say } from './support.ts'
import { call, get, pick, post, received, useLab } from '../support.ts'

const world = useLab()

afterEach(() => {
  vi.restoreAllMocks()
})

/** The prefix of a bot's conversation; undefined: none yet. */
async function prefixOf(bot: string): Promise<Record<string, unknown> | undefined> {
  return (pick(await get(`/prefixes?name=${bot}`), 'data') as Record<string, unknown>[])[0]
}

const system = 'You answer questions about tents, stoves and sleeping mats for a shop in the mountains. '.repeat(250)
const tools = [{ name: 'look', description: 'Looks it up.', url: 'https://tools.example/' }]

describe.each([
  { name: 'Anthropic', body: anthropic },
  { name: 'OpenAI Responses', body: openai },
  { name: 'Chat Completions', body: { ...openai, provider: 'openai-chat' } },
  { name: 'Gemini', body: { provider: 'gemini', model: 'gemini-3.8-flash', system_prompt: system } },
])('the conversation of a bot on $name', ({ body }) => {
  it('is one prefix of its account that grows with each turn, and a keep-alive reads all of it', async () => {
    const bot = await begin({ ...body, tools })
    await say(bot, 'Which tent for two?')
    const first = await prefixOf(bot)
    expect(first).toMatchObject({ name: bot, hits: 0, keep_warm: { plan: 'auto' } })
    await say(bot, 'And which stove?\nlab: call look {}')
    const second = await prefixOf(bot)
    expect(second).toMatchObject({ id: first?.['id'], hits: 1, misses: 0 })
    expect(second?.['fingerprint']).not.toBe(first?.['fingerprint'])

    const sent = received(world.lab).length
    const warmed = await post(`/prefixes/${String(second?.['id'])}/warm`, {})
    expect([warmed.status, pick(warmed, 'receipt', 'kind')]).toEqual([200, 'full'])
    expect(received(world.lab)).toHaveLength(sent + 1)
    const probe = pick(warmed, 'receipt', 'usage') as Record<string, number>
    await say(bot, 'And which mat?')
    expect(pick(await get(`/bots/${bot}`), 'usage', 'cached_input_tokens')).toBeGreaterThanOrEqual(
      probe['cached_input_tokens'] ?? Number.POSITIVE_INFINITY,
    )
    expect(await prefixOf(bot)).toMatchObject({ hits: 2, misses: 0 })
  })
})

describe('a bot’s conversation', () => {
  it('has a plan while the bot lives, and is deleted with it', async () => {
    const bot = await begin()
    await say(bot, 'Which tent for two?')
    const { id } = (await prefixOf(bot)) ?? {}
    expect(pick(await get(`/prefixes/${String(id)}`), 'plan', 'next_probe_at')).toEqual(expect.any(String))
    await call('DELETE', `/bots/${bot}`)
    expect((await get(`/prefixes/${String(id)}`)).status).toBe(404)
  })

  it('is not kept warm where warming is off, no cache is asked for, or it is too short', async () => {
    const off = await begin({ ...anthropic, keep_warm: { plan: 'off' } })
    const disabled = await begin({ ...anthropic, cache: 'off' })
    const short = await begin({ ...anthropic, system_prompt: 'You sell tents.' })
    for (const bot of [off, disabled, short]) {
      await say(bot, 'Which tent for two?')
      expect(await prefixOf(bot)).toBeUndefined()
    }
  })

  it('follows the caller’s plan, and a wrong plan is refused by name', async () => {
    const bot = await begin({ ...anthropic, keep_warm: { plan: { probes: 3 } } })
    await say(bot, 'Which tent for two?')
    expect(await prefixOf(bot)).toMatchObject({ keep_warm: { plan: { probes: 3 } } })
    const refused = await post('/bots', { ...anthropic, keep_warm: { plan: 'sometimes' } })
    expect([refused.status, pick(refused, 'error', 'detail', 'field')]).toEqual([400, 'keep_warm.plan'])
  })

  it('shares the prefix of another bot up to where they differ', async () => {
    const [one, two] = [await begin(), await begin()]
    for (const bot of [one, two]) await say(bot, 'Which tent for three?')
    expect(await prefixOf(one)).toMatchObject({ name: one })
    expect(await prefixOf(two)).toBeUndefined()
    await say(two, 'And for four?')
    expect((await prefixOf(two))?.['id']).not.toBe((await prefixOf(one))?.['id'])
  })

  it('keeps a plan that was set by PATCH, turn after turn', async () => {
    const bot = await begin()
    await say(bot, 'Which tent for a winter of two?')
    const { id } = (await prefixOf(bot)) ?? {}
    await call('PATCH', `/prefixes/${String(id)}`, { keep_warm: { plan: 'off' } })
    await say(bot, 'And which stove?')
    expect(await prefixOf(bot)).toMatchObject({ id, hits: 1, keep_warm: { plan: 'off' } })
  })

  it('is its head alone after the history was cut', async () => {
    const long = `Tell me more. ${'It rains in the mountains, and the wind is strong there. '.repeat(40)}\nlab: say 600`
    const bot = await begin({ ...anthropic, history_tokens: 4_500 })
    for (let n = 0; n < 6; n += 1) {
      await say(bot, `${n}. ${long}`)
      const { id } = (await prefixOf(bot)) ?? {}
      const warmed = await post(`/prefixes/${String(id)}/warm`, {})
      expect([n, pick(warmed, 'receipt', 'kind')]).toEqual([n, 'full'])
    }
  })
})
