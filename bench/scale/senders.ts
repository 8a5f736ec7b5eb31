import { anthropicBody, SYSTEM } from '../../test/support/registration.ts'
import { markOf } from './lab-calls.ts'
import type { Running } from './running.ts'

/** An answer to a caller, by who asked. */
export interface Answered {
  sender: 'warmed' | 'crew' | 'bot' | 'own'
  at: number
  status: number
}

/** Callers of one account, who go on until they are stopped: warms, crews, messages to a bot, and requests of their own. */
export class Callers {
  readonly answers: Answered[] = []
  readonly #running: Running
  #ended = false
  #loops: Promise<void>[] = []

  constructor(running: Running) {
    this.#running = running
  }

  async start(): Promise<void> {
    const bot = JSON.parse(
      await this.#running.call('/bots', {
        body: JSON.stringify({
          provider: 'anthropic',
          model: 'claude-sonnet-4-5',
          system_prompt: `${markOf('bot')} ${SYSTEM.slice(0, 2_000)}`,
          inject_time: false,
          keep_warm: { plan: 'off' },
        }),
      }),
    ) as { id: string }
    this.#loops = [
      this.#loop('warmed', '/warm', (n) => warmOf(anthropicBody(markOf('warmed', n)))),
      this.#loop(
        'crew',
        '/preload',
        (n) => `{"background":true,"agents":[${agentOf(n, 'miller')},${agentOf(n, 'farmer')}]}`,
      ),
      this.#loop('bot', `/bots/${bot.id}/messages`, (n) => JSON.stringify({ text: `How much rye, ${n}?` })),
      this.#loop('own', '/via/anthropic/v1/messages', (n) =>
        JSON.stringify({
          model: 'claude-sonnet-4-5',
          max_tokens: 8,
          messages: [{ role: 'user', content: markOf('own', n) }],
        }),
      ),
    ]
  }

  async stop(): Promise<void> {
    this.#ended = true
    await Promise.all(this.#loops)
  }

  async #loop(sender: Answered['sender'], path: string, bodyOf: (n: number) => string): Promise<void> {
    for (let n = 0; !this.#ended; n++) {
      const at = Date.now()
      const response = await fetch(this.#running.url + path, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          ...(sender === 'own'
            ? {
                'anthropic-version': '2023-06-01',
                'x-api-key': 'a-key-of-the-caller',
                'x-pilotlight-key': this.#running.key,
              }
            : { authorization: `Bearer ${this.#running.key}` }),
        },
        body: bodyOf(n),
      })
      await response.text()
      this.answers.push({ sender, at, status: response.status })
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
    }
  }
}

/** Between two requests of one caller. */
const PAUSE_MS = 50

/** A body of `POST /warm`. Its entry lives for five minutes, and its plan renews it always. */
export function warmOf(request: string): string {
  return `{"provider":"anthropic","keep_warm":{"plan":"always"},"request":${request}}`
}

function agentOf(n: number, role: string): string {
  const request = JSON.stringify({
    model: 'claude-sonnet-4-5',
    max_tokens: 64,
    system: [
      { type: 'text', text: `${markOf('crew', n)} ${SYSTEM}` },
      { type: 'text', text: `You are the ${role}.`, cache_control: { type: 'ephemeral' } },
    ],
    messages: [],
  })
  return `{"provider":"anthropic","name":"${role}-${n}","request":${request}}`
}
