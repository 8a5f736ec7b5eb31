import type { KeptText } from './ends.ts'

/** Members of an answer with the provider's own diagnostics. In the text of a string the quotes would stand behind a backslash. */
const NAMED = /(?<!\\)"(?:cache_miss_reason|prompt_cache_diagnostics)"\s*:\s*(\{[^{}]{0,500}\})/g

/** The provider's own diagnostics in the kept text of an answer: the last that it gives; null: none. */
export function diagnosticsIn({ head, tail }: KeptText): Record<string, unknown> | null {
  const found = [...`${head}\n${tail ?? ''}`.matchAll(NAMED)].at(-1)
  if (found === undefined) return null
  try {
    const value = JSON.parse(found[1] ?? '') as Record<string, unknown>
    return found[0].includes('cache_miss_reason') ? { cache_miss_reason: value } : value
  } catch {
    return null
  }
}
