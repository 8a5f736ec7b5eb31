import { readFailure } from '../../contract/failure.ts'
import { believable, NO_COUNTS } from '../../core/model/usage.ts'
import type { Usage } from '../../core/model/usage.ts'
import { wireOf } from '../../providers/registry.ts'
import { usageOf } from '../../registration/observation.ts'
import { cardById } from '../../runtime/cards.ts'

/** The counts of an answer. None: unknown, and never zero. */
export function countsOf(
  provider: string,
  raw: Record<string, unknown> | null,
  headers: Headers,
): { usage: Usage; isPossible: boolean } {
  if (raw === null) return { usage: NO_COUNTS, isPossible: true }
  try {
    const usage = usageOf(provider, raw, 'usage')
    const card = cardById(provider)
    const header = card === undefined ? null : wireOf(card).cachedHeader
    const read = header === null ? null : headers.get(header)
    const cacheReadTokens = usage.cacheReadTokens ?? (read !== null && /^\d+$/.test(read) ? Number(read) : null)
    const whole = { ...usage, cacheReadTokens }
    const believed = believable(whole)
    return { usage: believed, isPossible: believed === whole }
  } catch (thrown) {
    if (readFailure(thrown) === null) throw thrown
    return { usage: NO_COUNTS, isPossible: true }
  }
}
