import { expect } from 'vitest'
import { longText, post, received } from '../support.ts'
import type { Answer, World } from '../support.ts'

export const MODEL = 'gemini-3.8-flash'
const LAB = 'http://lab.test/gemini'

/** Contents of some thousand tokens that no other test has. */
export function contents(text = longText()): Record<string, unknown> {
  return { systemInstruction: { parts: [{ text }] }, contents: [{ role: 'user', parts: [{ text: 'A catalogue.' }] }] }
}

export function creation(request: unknown = contents(), more: Record<string, unknown> = {}): Record<string, unknown> {
  return { provider: 'gemini', model: MODEL, request, ...more }
}

/** A managed cache that is new. */
export async function made(more: Record<string, unknown> = {}): Promise<Answer> {
  const answer = await post('/caches', creation(contents(), more))
  expect(answer.status).toBe(201)
  return answer
}

/** The provider of a test, as others see it. */
export function providerOf(world: World) {
  /** What somebody else does with the same key. */
  const outOfBand = (method: string, path: string, body?: unknown): Promise<Response> =>
    world.lab.fetch(
      new Request(LAB + path, {
        method,
        headers: { 'x-goog-api-key': 'lab' },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      }),
    )
  return {
    outOfBand,
    /** Calls about managed caches that the provider received. */
    calls: (method: string) =>
      received(world.lab).filter((row) => row.path.includes('cachedContents') && row.method === method),
    /** The status of a caller's own request with a handle. */
    async use(handle: unknown, model = MODEL): Promise<number> {
      const body = { cachedContent: handle, contents: [{ role: 'user', parts: [{ text: 'Which lamp?' }] }] }
      return (await outOfBand('POST', `/v1beta/models/${model}:generateContent`, body)).status
    },
  }
}
