/** The engine itself, asked past Pilotlight as an application would. */

export interface Engine {
  /** Base URL up to `/v1`, without a slash at the end. */
  url: string
  key: string
  model: string
}

export interface Message {
  role: 'system' | 'user'
  content: string
}

/** One real request, as its caller sees it. */
export interface Seen {
  /** To the first token, in milliseconds. */
  ttftMs: number
  inputTokens: number | null
  /** The engine's own count; null where it says none. */
  cachedTokens: number | null
  /** The usage object as it was sent. */
  usage: Record<string, unknown>
  startedAt: string
}

const ANSWER_WITHIN_MS = 600_000

const headers = (key: string) => ({ authorization: `Bearer ${key}`, 'content-type': 'application/json' })

/** The first model that the engine lists. */
export async function firstModel({ url, key }: Omit<Engine, 'model'>): Promise<string> {
  const answer = await fetch(`${url}/models`, { headers: headers(key), signal: AbortSignal.timeout(ANSWER_WITHIN_MS) })
  if (!answer.ok) throw new Error(`GET ${url}/models was answered ${answer.status}; is the key right?`)
  const { data = [] } = (await answer.json()) as { data?: { id: string }[] }
  const [model] = data
  if (model === undefined) throw new Error('the engine lists no model; name one with --model')
  return model.id
}

interface Chunk {
  choices?: { delta?: { content?: string | null; reasoning_content?: string | null } }[]
  usage?: Record<string, unknown> | null
  timings?: { cache_n?: number }
}

/** Sends a real request as a stream and takes the time to its first token. */
export async function ask({ url, key, model }: Engine, messages: Message[]): Promise<Seen> {
  const startedAt = new Date().toISOString()
  const began = performance.now()
  const answer = await fetch(`${url}/chat/completions`, {
    method: 'POST',
    headers: headers(key),
    body: JSON.stringify({ model, messages, max_tokens: 4, stream: true, stream_options: { include_usage: true } }),
    signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
  })
  if (!answer.ok || answer.body === null)
    throw new Error(`the engine answered ${answer.status}: ${await answer.text()}`)
  let ttftMs: number | null = null
  let usage: Record<string, unknown> = {}
  let cached: number | undefined
  for await (const chunk of chunks(answer.body)) {
    if (ttftMs === null && (chunk.choices ?? []).length > 0) ttftMs = performance.now() - began
    if (chunk.usage != null) usage = chunk.usage
    cached = chunk.timings?.cache_n ?? cached
  }
  const details = usage['prompt_tokens_details'] as { cached_tokens?: number } | null | undefined
  const input = usage['prompt_tokens']
  return {
    ttftMs: ttftMs ?? performance.now() - began,
    inputTokens: typeof input === 'number' ? input : null,
    cachedTokens: details?.cached_tokens ?? cached ?? null,
    usage,
    startedAt,
  }
}

/** The events of a stream, up to `[DONE]`. llama.cpp sends a first one before it has read the prompt, without a token: it is left out. */
async function* chunks(body: ReadableStream<Uint8Array>): AsyncGenerator<Chunk> {
  let rest = ''
  for await (const piece of body.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + piece).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) {
      if (!line.startsWith('data: ') || line.startsWith('data: [DONE]')) continue
      const chunk = JSON.parse(line.slice(6)) as Chunk
      const delta = chunk.choices?.[0]?.delta
      const isEmpty = delta !== undefined && !delta.content && !delta.reasoning_content && chunk.timings === undefined
      if (!isEmpty || chunk.usage != null) yield chunk
    }
  }
}
