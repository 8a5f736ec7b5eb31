/** Requests and answers of the bench, in the format that all of its gateways know: OpenAI's Chat Completions. */

/** How an answer comes: whole, as events without a pause, or as events over many seconds. */
export type Kind = 'plain' | 'stream' | 'slow'

export const MODEL = 'gpt-5.6-sol'

/** Events of a stream, and of one over many seconds. */
export const EVENTS = 20
export const SLOW_EVENTS = 16
/** Time between two events of a slow stream. */
export const SLOW_GAP_MS = 500

const SENTENCE = 'The invoice of the second quarter was paid on time, and the ledger agrees with the bank to the cent. '
/** Longest turn: an agent's conversation has many turns, not one long one. */
const TURN_BYTES = 2_000

/** The body of a request of about `bytes` bytes. `n` makes it another one: it stands in the last turn, as a new question does. */
export function requestBody(kind: Kind, bytes: number, n: number): string {
  const turns: { role: string; content: string }[] = [{ role: 'system', content: SENTENCE.repeat(3).trim() }]
  const text = (): string =>
    JSON.stringify({
      model: MODEL,
      messages: [...turns, { role: 'user', content: `Question ${n}: what is still open?` }],
      max_completion_tokens: 256,
      ...(kind === 'plain' ? {} : { stream: true, stream_options: { include_usage: true } }),
      ...(kind === 'slow' ? { user: 'slow' } : {}),
    })
  let missing = bytes - text().length
  while (missing > 60) {
    const role = turns.length % 2 === 1 ? 'user' : 'assistant'
    const content = SENTENCE.repeat(Math.ceil(TURN_BYTES / SENTENCE.length)).slice(
      0,
      Math.min(TURN_BYTES, missing - 40),
    )
    turns.push({ role, content })
    missing -= JSON.stringify({ role, content }).length + 1
  }
  return text()
}

const USAGE = {
  prompt_tokens: 250,
  completion_tokens: 20,
  total_tokens: 270,
  prompt_tokens_details: { cached_tokens: 0 },
}

/** The whole answer of a call. */
export const PLAIN_ANSWER = JSON.stringify({
  id: 'chatcmpl-bench',
  object: 'chat.completion',
  created: 1_790_000_000,
  model: MODEL,
  choices: [{ index: 0, message: { role: 'assistant', content: SENTENCE.repeat(6) }, finish_reason: 'stop' }],
  usage: USAGE,
})

/** The events of a streamed answer, with `[DONE]`. */
export function events(count: number): string[] {
  const event = (choices: unknown[], usage: unknown): string =>
    `data: ${JSON.stringify({ id: 'chatcmpl-bench', object: 'chat.completion.chunk', created: 1_790_000_000, model: MODEL, choices, usage })}\n\n`
  const pieces = Array.from({ length: count - 2 }, (_, index) =>
    event([{ index: 0, delta: { content: ` piece ${index} of it` }, finish_reason: null }], null),
  )
  return [...pieces, event([], USAGE), 'data: [DONE]\n\n']
}
