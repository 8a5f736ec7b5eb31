import { prompt } from './bodies.ts'
import type { Player } from './player.ts'

const TOOL = {
  name: 'stock',
  description: 'How many are left of an item.',
  parameters: { type: 'object', properties: { item: { type: 'string' } }, required: ['item'] },
  url: 'https://tools.example/stock',
}
const anthropic = { provider: 'anthropic', model: 'claude-opus-5', system_prompt: prompt('bot') }

async function begin(player: Player, body: Record<string, unknown>): Promise<string> {
  return String((await player.post('/bots', body)).json['id'])
}

/** Conversations on each wire format: what is said, heard, kept and counted. */
export async function bots(player: Player): Promise<void> {
  await player.get('/bots?limit=1')
  await player.get('/bots/tool-secret')
  for (const config of [
    { ...anthropic, idle_timeout: '1h', cost_budget_usd: 1, keep_warm: { plan: 'always' } },
    { provider: 'openai', model: 'gpt-5.6-sol', system_prompt: prompt('bot'), cache: { key: 'mine' } },
    {
      provider: 'openai-chat',
      model: 'gpt-5.6-sol',
      system_prompt: prompt('bot'),
      inject_time: false,
      cache: { key: 'mine' },
    },
    { provider: 'gemini', model: 'gemini-3.8-flash', system_prompt: prompt('bot', 80) },
  ]) {
    const id = await begin(player, config)
    const path = `/bots/${id}`
    const stream = await player.listen(`${path}/responses`)
    for (const text of ['Which tent for two?', 'And which stove?']) {
      await player.post(`${path}/messages`, { text })
      await player.turns(id)
    }
    await player.post(`${path}/next-turn-cache`, {
      cache: config.provider === 'anthropic' ? { retention: '1h' } : 'off',
    })
    await player.post(`${path}/events`, { type: 'message', data: { text: 'And in winter?' }, id: 'winter' })
    await player.post(`${path}/events`, { type: 'message', data: { text: 'And in winter?' }, id: 'winter' })
    await player.get(path)
    await player.post(`${path}/next-turn-cache`, { cache: 'auto' })
    await player.turns(id)
    await stream.until('message', 3)
    await stream.close()
    await player.post(`${path}/events`, { type: 'nobodys', data: [1] })
    await player.post(`${path}/events`, { type: 'clear' })
    await player.turns(id)
    await player.get(path)
    await player.get(`/prefixes?provider=${config.provider}`)
    await player.get(`${path}/snapshot`)
    await player.ask('DELETE', path)
    await player.post(`${path}/messages`, { text: 'Still there?' })
    await player.ask('DELETE', `${path}?erase=true`)
    await player.get(path)
  }
  await player.get('/ledger')
  await player.get('/metrics')
}

/** Tools, and what goes wrong in a turn. */
export async function turns(player: Player): Promise<void> {
  player.servers.set('tools.example', async (request) => {
    player.note(`${request.method} ${request.url} was asked`, await request.text())
    return Response.json({ left: 3 })
  })
  const id = await begin(player, {
    ...anthropic,
    tools: [TOOL],
    max_iterations: 2,
    exit_tool: true,
    summarize: true,
    history_tokens: 3_000,
  })
  const stream = await player.listen(`/bots/${id}/responses`)
  const say = async (text: string): Promise<void> => {
    await player.post(`/bots/${id}/messages`, { text })
    await player.turns(id)
  }
  await say('How many?\nlab: call stock {"item":"tent"}\nlab: call current_time {}')
  await say('Always?\nlab: always call stock {"item":"mat"}')
  await say('Done?\nlab: call finish {"result":"All done."}')
  await stream.until('message', 3)
  player.lab.faults.add({ kind: 'overloaded', provider: 'anthropic', times: 1 })
  await say('And now?')
  await player.get(`/bots/${id}`)
  player.later(10_000)
  await player.turns(id)
  for (const n of [1, 2, 3]) await say(`Long ${n}: ${prompt('said', 20)}`)
  await stream.until('message', 7)
  await player.post(`/bots/${id}/cancel`)
  await player.post(`/bots/${id}/pause`)
  const waiting = await player.post(`/bots/${id}/messages`, { text: 'Never mind.' })
  await player.post(`/bots/${id}/cancel`, { turn_id: waiting.json['turn_id'] })
  await player.ask('DELETE', `/bots/${id}`)
  await stream.until('ended')
  await stream.close()
  await player.get(`/bots/${id}`)

  const wrong = await begin(player, { ...anthropic, model: 'claude-of-nobody', allow_unpriced: true })
  const failed = await player.listen(`/bots/${wrong}/responses`)
  await player.post(`/bots/${wrong}/messages`, { text: 'Which tent?' })
  await player.turns(wrong)
  await failed.until('failed')
  await failed.close()
  await player.get(`/bots/${wrong}`)

  const short = await begin(player, { ...anthropic, cost_budget_usd: 0.000_001 })
  await player.post(`/bots/${short}/messages`, { text: 'Which tent?' })
  await player.turns(short)
  await player.get(`/bots/${short}`)
  await player.post(`/bots/${short}/next-turn-cache`, { cache: 'auto' })
  const idle = await begin(player, { ...anthropic, idle_timeout: '1h' })
  player.later(3_700_000)
  await player.get(`/bots/${idle}`)
  await player.post(`/bots/${idle}/messages`, { text: 'Still there?' })
}

/** A bot's life: pauses, snapshots, listeners, and what it refuses. */
export async function life(player: Player): Promise<void> {
  const id = await begin(player, anthropic)
  const path = `/bots/${id}`
  await player.post(`${path}/pause`)
  await player.post(`${path}/pause`)
  await player.post(`${path}/messages`, { text: 'Which tent for two?' }, { headers: { 'idempotency-key': 'one' } })
  await player.post(`${path}/messages`, { text: 'Which tent for two?' }, { headers: { 'idempotency-key': 'one' } })
  await player.turns(id)
  await player.get(path)
  await player.post(`${path}/resume`)
  await player.turns(id)
  await player.get(path)
  const socket = await player.socket(`${path}/responses`)
  socket.close()
  await player.get(`${path}/responses`)
  await player.get(`${path}/responses`, { headers: { accept: 'application/json' } })
  const { json: snapshot } = await player.get(`${path}/snapshot`)
  const again = await begin(player, { snapshot, cost_budget_usd: 3 })
  await player.get(`/bots/${again}`)
  await player.post('/bots', { snapshot, model: 'claude-opus-5' })
  await player.post('/bots', { snapshot: { ...snapshot, payload: '{}' } })
  await player.post('/bots', { snapshot: { ...snapshot, version: 1 } })
  await player.post(`${path}/messages`, { text: prompt('too long', 500) })
  for (const [end, body] of [
    ['messages', { text: '  ' }],
    ['messages', { text: 5 }],
    ['events', { type: 'two words' }],
    ['events', { type: 'message' }],
    ['events', { type: 'message', data: { text: '' } }],
    ['events', { type: 'x', id: 'two words' }],
    ['next-turn-cache', { cache: { mode: 'required' } }],
    ['next-turn-cache', { cache: { retention: 'never' } }],
  ] as const)
    await player.post(`${path}/${end}`, body)
  for (const wrong of [
    { model: 'claude-opus-5' },
    { provider: 'anthropic' },
    { ...anthropic, provider: 'nobody' },
    { ...anthropic, history_tokens: 255 },
    { ...anthropic, history_tokens: 256 },
    { ...anthropic, max_output_tokens: 15 },
    { ...anthropic, idle_timeout: 'long' },
    { ...anthropic, cost_budget_usd: -1 },
    { ...anthropic, model: 'of-nobody', cost_budget_usd: 1 },
    { ...anthropic, max_iterations: 0 },
    { ...anthropic, credential: 'nobodys' },
    { ...anthropic, provider: 'groq', model: 'llama' },
    { ...anthropic, provider: 'perplexity', model: 'sonar', tools: [TOOL] },
    { ...anthropic, cache: { mode: 'required' } },
    { ...anthropic, cache: { strategy: { last: 1 } } },
    { ...anthropic, tools: [{ ...TOOL, url: 'http://10.0.0.1/x' }] },
    { ...anthropic, tools: [TOOL, TOOL] },
    { ...anthropic, tools: [{ ...TOOL, name: 'current_time' }] },
    { ...anthropic, tools: [{ ...TOOL, timeout: '2m' }] },
    { ...anthropic, tools: [{ ...TOOL, parameters: { type: 'array' } }] },
    { ...anthropic, keep_warm: { plan: 'often' } },
  ])
    await player.post('/bots', wrong)
  await player.ask('DELETE', `${path}?erase=perhaps`)
  await player.ask('DELETE', path)
  await player.ask('DELETE', path)
  await player.post(`${path}/pause`)
  await player.post(`${path}/resume`)
  await player.ask('DELETE', `${path}?erase=true`)
}
