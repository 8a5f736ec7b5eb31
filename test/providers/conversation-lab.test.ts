import { describe, expect, it } from 'vitest'
import { ChatWindow } from '../../src/core/conversation/window.ts'
import { asksForTools, nextInTurn, refusedCalls, roundMessages, turnViewOf } from '../../src/core/conversation/turn.ts'
import type { Reply, Round, ToolDefinition } from '../../src/core/conversation/turn.ts'
import { readReply, turnRequest } from '../../src/providers/conversation.ts'
import { cardById, dialectOf } from '../../src/providers/registry.ts'
import { caller } from '../lab/caller.ts'
import type { Caller } from '../lab/caller.ts'

const LOOK: ToolDefinition = { name: 'look', description: 'Looks it up.', parameters: { type: 'object' } }
const SYSTEM = 'You answer questions about tents, stoves and sleeping mats for a shop in the mountains. '.repeat(250)

const PROVIDERS = [
  { id: 'anthropic', mount: '/anthropic', model: 'claude-opus-5', retention: '5m', header: 'x-api-key' },
  { id: 'openai', mount: '/openai/v1', model: 'gpt-5.6-sol', retention: '30m', header: 'authorization' },
  { id: 'openai-chat', mount: '/openai/v1', model: 'gpt-5.6-sol', retention: '30m', header: 'authorization' },
  { id: 'gemini', mount: '/gemini', model: 'gemini-3.8-flash', retention: 'implicit', header: 'x-goog-api-key' },
]

interface Answered {
  reply: Reply
  input: number
  cached: number
}

/** A bot's turns against the lab, without a bot: what it decides, and what a provider makes of it. */
function talker(provider: (typeof PROVIDERS)[number], { send, advance }: Caller, stream: boolean) {
  const card = cardById(provider.id)
  if (card === undefined) throw new Error('no card')
  const window = new ChatWindow({ budgetTokens: 8_192 })
  window.add({ role: 'system', text: SYSTEM })
  let now = 0
  const ask = async (final: boolean): Promise<Answered> => {
    now += 10_000
    advance(10_000)
    const request = turnRequest(card, {
      ...turnViewOf(window, { now, injectTime: true, final }),
      model: provider.model,
      maxOutputTokens: 512,
      cache: { retention: provider.retention, key: 'bot_1' },
      tools: [LOOK],
      noTools: final,
      stream,
    })
    const headers = { [provider.header]: provider.header === 'authorization' ? 'Bearer key' : 'key', ...card.headers }
    const { status, text, headers: said } = await send('POST', provider.mount + request.path, request.body, headers)
    expect([status, status === 200 ? '' : text]).toEqual([200, ''])
    const type = said.get('content-type') ?? ''
    expect(type.includes('event-stream')).toBe(stream)
    const { usage } = dialectOf(card).readAnswer(text, type, said)
    return { reply: readReply(card, text, type), input: usage.inputTokens ?? 0, cached: usage.cacheReadTokens ?? 0 }
  }
  return async (text: string, maxIterations = 10): Promise<Answered[]> => {
    const answers: Answered[] = []
    const rounds: Round[] = []
    window.add({ role: 'user', text })
    for (;;) {
      const next = nextInTurn(rounds, maxIterations)
      if (next.do === 'call') {
        const round = rounds.at(-1)
        for (const { index } of next.calls)
          if (round !== undefined) round.results[index] = { text: '3 left', isError: false }
        if (round !== undefined) window.add(...roundMessages(round))
        continue
      }
      const answered = await ask(next.final)
      answers.push(answered)
      if (!asksForTools(answered.reply, next.final)) {
        window.add({ role: 'assistant', text: answered.reply.text })
        return answers
      }
      rounds.push({ reply: answered.reply, results: refusedCalls(answered.reply) })
    }
  }
}

describe.each(PROVIDERS)('turns with tools at $id', (provider) => {
  it.each([false, true])(
    'go through calls to an answer, and read from the cache what was said before (stream: %s)',
    async (stream) => {
      const say = talker(provider, caller(), stream)
      const first = await say('Look.\nlab: call look {"item":"tent"} & look {"item":"mat"}\nlab: call look {}')
      expect(first.map(({ reply }) => reply.toolCalls.length)).toEqual([2, 1, 0])
      expect(first.at(-1)?.reply.text).toMatch(/^ok /)
      const second = await say('And in winter?\nlab: call look {}')
      const third = await say('And in summer?')
      const later = [...first.slice(1), ...second, ...third]
      const share =
        later.reduce((sum, { cached }) => sum + cached, 0) / later.reduce((sum, { input }) => sum + input, 0)
      expect(share).toBeGreaterThan(0.85)
    },
  )

  it('end with a call without tools, even if the model asks for more', async () => {
    const say = talker(provider, caller(), false)
    const answers = await say('Look.\nlab: always call look {}', 3)
    expect(answers.map(({ reply }) => reply.toolCalls.length)).toEqual([1, 1, 1, 0])
    expect(answers.at(-1)?.cached).toBeGreaterThan(2_000)
  })
})
