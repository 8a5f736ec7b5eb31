import { fingerprint } from '../../src/core/prompt/fingerprint.ts'
import type { ManagedCacheKeep } from '../../src/core/managed-cache/state.ts'
import type { ManagedCacheRegistration } from '../../src/durable/registry/records/managed-cache.ts'
import { geminiManagedCaches } from '../../src/providers/managed-cache/gemini.ts'
import { pack } from '../../src/runtime/bytes.ts'

const TEXT = 'Lamps for the desk, the wall and the ceiling, with their sizes and prices. '

/** Registration as the Worker sends it to a Registry, for some thousand tokens. Each tag is another content. */
export function managedCacheRegistration(
  account: string,
  tag: string,
  keep: Partial<ManagedCacheKeep>,
  ttlMs: number,
  repeat = 150,
): ManagedCacheRegistration {
  const text = JSON.stringify({ systemInstruction: { parts: [{ text: `${tag} ${TEXT.repeat(repeat)}` }] } })
  const prepared = geminiManagedCaches.prepare(text, 'gemini-3.8-flash')
  return {
    fingerprint: fingerprint({
      provider: 'gemini',
      model: prepared.model,
      credentialScope: `${account}/default:1`,
      cacheKey: null,
      canonical: prepared.canonical,
    }),
    provider: 'gemini',
    model: prepared.model,
    name: tag,
    credential: 'default',
    estimatedTokens: prepared.estimatedTokens,
    bound: { most: 2 * prepared.estimatedTokens },
    bodyBytes: text.length,
    ttlMs,
    keep: { budgetNanosPerDay: null, ...keep },
    body: pack(text),
  }
}
