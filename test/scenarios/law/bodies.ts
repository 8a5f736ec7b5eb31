/** What the law warms: contents at five providers, each with a word by which the accountant finds it in a request. */

export type Place = 'anthropic' | 'openai' | 'openai-chat' | 'gemini' | 'bedrock'

export interface Model {
  place: Place
  model: string
  /** Retentions that have a price. */
  writes: string[]
}

export const MODELS: readonly Model[] = [
  { place: 'anthropic', model: 'claude-opus-5', writes: ['5m', '1h'] },
  { place: 'openai', model: 'gpt-5.6-sol', writes: ['30m', '12h'] },
  { place: 'openai-chat', model: 'gpt-4o', writes: [] },
  { place: 'gemini', model: 'gemini-3.8-flash', writes: [] },
  { place: 'bedrock', model: 'anthropic.claude-opus-5', writes: ['5m', '1h'] },
]

/** How many tokens a text has depends on its kind: prose has a quarter of its bytes, numbers and codes up to all of them. */
const KINDS: readonly ((n: number) => string)[] = [
  (n) => `Tent ${n} sleeps two people, and keeps them dry on the mountain. `,
  (n) => `${(n * 7_919) % 997}\t${(n * 104_729) % 911}\t${(n * 31) % 7}\n`,
  (n) => `${Math.imul(n + 1, 2_654_435_761).toString(36)}${Math.imul(n + 7, 40_503).toString(16)}`,
]

/** A text that has `[[word]]` in front. */
export function textOf(word: string, kind: number, bytes: number): string {
  const piece = KINDS[kind % KINDS.length] ?? KINDS[0]!
  let text = `[[${word}]] `
  for (let n = 0; text.length < bytes; n++) text += piece(n)
  return text
}

/** The words of a request, in its order. */
export function wordsOf(body: string): string[] {
  return [...body.matchAll(/\[\[([a-z0-9-]+)\]\]/g)].map((match) => match[1] ?? '')
}

const tool = { name: 'find', description: 'Finds an article.', schema: { type: 'object', properties: {} } }

/** A native body with these texts in its system prompt, the last of which ends the prefix. */
export function bodyOf({ place, model }: Model, texts: readonly string[], withTool: boolean): Record<string, unknown> {
  const question = 'Which tent for two?'
  switch (place) {
    case 'anthropic':
      return {
        model,
        max_tokens: 64,
        ...(withTool ? { tools: [{ name: tool.name, description: tool.description, input_schema: tool.schema }] } : {}),
        system: texts.map((text, index) => ({
          type: 'text',
          text,
          ...(index === texts.length - 1 ? { cache_control: { type: 'ephemeral' } } : {}),
        })),
        messages: [{ role: 'user', content: question }],
      }
    case 'bedrock':
      return {
        ...(withTool
          ? { toolConfig: { tools: [{ toolSpec: { name: tool.name, inputSchema: { json: tool.schema } } }] } }
          : {}),
        system: [...texts.map((text) => ({ text })), { cachePoint: { type: 'default' } }],
        messages: [{ role: 'user', content: [{ text: question }] }],
        inferenceConfig: { maxTokens: 64 },
      }
    case 'openai':
      return { model, instructions: texts.join('\n'), input: [{ role: 'user', content: question }] }
    case 'openai-chat':
      return {
        model,
        messages: [
          { role: 'system', content: texts.join('\n') },
          { role: 'user', content: question },
        ],
      }
    case 'gemini':
      return {
        ...(withTool
          ? { tools: [{ functionDeclarations: [{ name: tool.name, description: tool.description }] }] }
          : {}),
        systemInstruction: { parts: texts.map((text) => ({ text })) },
        contents: [{ role: 'user', parts: [{ text: question }] }],
      }
  }
}

/** Body of `POST /warm` for it. */
export function warmBody(of: Model, texts: readonly string[], withTool: boolean): Record<string, unknown> {
  const request = bodyOf(of, texts, withTool)
  const named = of.place === 'gemini' || of.place === 'bedrock' ? { model: of.model } : {}
  return { provider: of.place, ...named, request }
}
