import { afterEach, expect, it, vi } from 'vitest'
import { anthropicBody, call, get, longText, post, useLab, warmOf } from '../support.ts'

const world = useLab()

afterEach(() => {
  vi.restoreAllMocks()
})

it('neither prompts nor keys reach an error, a log or a label, through crews, pools and bots that fail', async () => {
  const prompt = 'The blue lantern is in the third drawer.'
  const logged: string[] = []
  for (const level of ['log', 'info', 'warn', 'error', 'debug'] as const) {
    vi.spyOn(console, level).mockImplementation((...words: unknown[]) => {
      logged.push(words.map((word) => (word instanceof Error ? String(word.stack) : JSON.stringify(word))).join(' '))
    })
  }
  world.lab.faults.add({ kind: 'server_error', times: 40 })
  const body = () => warmOf(anthropicBody(`${prompt} ${longText(300)}`))
  const name = `pool-${crypto.randomUUID().slice(0, 8)}`
  await call('PUT', `/gateways/${name}`, { models: [{ name: 'a', model: 'anthropic/claude-opus-5' }] })
  const answers = [
    await post('/preload', { agents: [body(), body()] }),
    await post('/preload', { agents: [{ ...body(), request: { model: 'm', system: 5, [prompt]: prompt } }, body()] }),
    await post('/preload', {
      agents: [{ provider: 'anthropic', model: 'claude-opus-5', system: prompt, keep_warm: prompt }],
    }),
    await post('/preload', `{"agents":[{"system":"${prompt}","system":"${prompt}"}]}`),
    await post('/warm', { gateway: name, system: `${prompt} ${longText(300)}` }),
    await post('/warm', { gateway: name, system: prompt, credential: prompt }),
    await post('/bots', { provider: 'anthropic', model: 'claude-opus-5', system_prompt: prompt, tools: prompt }),
  ]
  const metrics = await get('/metrics')
  for (const { status, text } of [...answers, metrics]) {
    expect(status).toBeLessThan(600)
    expect(text).not.toContain('blue lantern')
    expect(text).not.toContain('sk-')
  }
  expect(logged.filter((line) => /blue lantern|sk-|pilotlight-dev/.test(line))).toEqual([])
})
