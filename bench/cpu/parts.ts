/** Bodies that ask for more computing than their bytes look like. None is larger than a route accepts. */
export interface HostileBody {
  name: string
  route: Route
  text: string
}

/** Routes that take a provider's body, or many. */
export type Route = 'warm' | 'render' | 'observations' | 'caches' | 'preload' | 'diagnose' | 'bots'

export const MB = 1024 * 1024
export const WORDS = 'The mill grinds what the farmers bring, and the miller keeps a sixteenth of it for his work. '

export const claude = (change: Record<string, unknown>) => ({
  model: 'claude-opus-4-8',
  max_tokens: 64,
  system: [{ type: 'text', text: WORDS.repeat(400), cache_control: { type: 'ephemeral' } }],
  messages: [{ role: 'user', content: 'How much rye?' }],
  ...change,
})
export const gpt = (change: Record<string, unknown>) => ({
  model: 'gpt-5.6-sol',
  input: [{ role: 'developer', content: [{ type: 'input_text', text: WORDS.repeat(400) }] }],
  ...change,
})
export const gemini = (change: Record<string, unknown>) => ({
  model: 'gemini-3.5-flash',
  systemInstruction: { parts: [{ text: WORDS.repeat(400) }] },
  contents: [{ role: 'user', parts: [{ text: 'How much rye?' }] }],
  ...change,
})

/** `of` repeated and cut to `bytes`. */
export function filledWith(of: string, bytes: number): string {
  return of.repeat(Math.ceil(bytes / of.length)).slice(0, bytes)
}

export const numbered = (count: number, one: (n: number) => unknown) => Array.from({ length: count }, (_, n) => one(n))
export const keyed = (count: number, value: unknown, name = 'k') =>
  Object.fromEntries(numbered(count, (n) => [`${name}${n}`, value]) as never)

/** One tool whose schema is `schema`. */
export const tool = (schema: unknown) => [{ name: 'weigh', description: 'Weighs sacks.', input_schema: schema }]
