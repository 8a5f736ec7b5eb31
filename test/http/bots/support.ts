import { exports } from 'cloudflare:workers'
import { expect, vi } from 'vitest'
import { botName } from '../../../src/durable/registry/records/bot.ts'
import { ACCOUNT, bindings, get, pick, post } from '../support.ts'

/** Bots as a caller meets them. */

export const SYSTEM = 'You answer questions about tents, stoves and sleeping mats for a shop in the mountains. '
  .repeat(150)
  .trim()
export const anthropic = { provider: 'anthropic', model: 'claude-opus-5', system_prompt: SYSTEM }
export const openai = { provider: 'openai', model: 'gpt-5.6-sol', system_prompt: SYSTEM }

export async function begin(body: Record<string, unknown> = anthropic): Promise<string> {
  const made = await post('/bots', body)
  expect([made.status, made.text]).toEqual([201, expect.any(String)])
  return pick(made, 'id') as string
}

export function objectOf(id: string, account = 'dev') {
  return bindings.BOT.getByName(botName(account, id))
}

/** Sends a message, and waits until its turn has ended or failed. */
export async function say(id: string, text: string): Promise<string> {
  const taken = await post(`/bots/${id}/messages`, { text })
  expect(taken.status).toBe(202)
  const turn = pick(taken, 'turn_id') as string
  await ended(id, turn)
  return turn
}

export async function ended(id: string, turn: string): Promise<void> {
  await vi.waitFor(async () => {
    const history = pick(await get(`/bots/${id}`), 'history') as { event?: string; what: string }[]
    expect(history.filter(({ event, what }) => event === turn && what !== 'retried')).toHaveLength(1)
  }, 60_000)
}

/** Listens to a bot: `all` responses but `deltas`, and `heard` without `tool_called` and `iteration`. */
export async function hear(
  id: string,
  key = ACCOUNT,
): Promise<Record<'heard' | 'deltas' | 'all', Record<string, unknown>[]> & { socket: WebSocket }> {
  const answer = await exports.default.fetch(
    new Request(`http://pilotlight.test/bots/${id}/responses`, {
      headers: { upgrade: 'websocket', authorization: `Bearer ${key}` },
    }),
  )
  expect(answer.status).toBe(101)
  const socket = answer.webSocket
  if (socket === null) throw new Error('no socket')
  const heard: Record<string, unknown>[] = []
  const deltas: Record<string, unknown>[] = []
  const all: Record<string, unknown>[] = []
  socket.accept()
  socket.addEventListener('message', ({ data }) => {
    const said = JSON.parse(String(data)) as Record<string, unknown>
    if (said['type'] === 'delta') return void deltas.push(said)
    all.push(said)
    if (said['type'] !== 'tool_called' && said['type'] !== 'iteration') heard.push(said)
  })
  return { heard, deltas, all, socket }
}
