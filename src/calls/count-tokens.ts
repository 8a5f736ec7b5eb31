import type { CountFormat, PreparedPrefix } from '../providers/dialect.ts'
import { fields } from '../providers/dialects/shared/usage.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Access } from '../runtime/env.ts'
import { sendWith } from './access-token.ts'
import { transport } from './send.ts'

/** A caller waits for it. */
const TIMEOUT_MS = 5_000

/**
 * Asks a provider how many tokens a probe has. Null: it did not say. Never throws: whoever asks has a bound without it.
 */
export async function countedByProvider(
  {
    access,
    credential,
    clock,
    headers,
  }: { access: Access; credential: string; clock: Clock; headers: Record<string, string> },
  { request: requestOf, member }: CountFormat,
  prefix: Pick<PreparedPrefix, 'text' | 'model' | 'breakpoint'>,
): Promise<number | null> {
  try {
    const built = requestOf(prefix)
    const request = { ...built, headers: { ...headers, ...built.headers } }
    const { card, baseUrl } = access
    const result = await sendWith({ access, credential, clock, timeoutMs: TIMEOUT_MS }, (presented, timeoutMs) =>
      transport.send({ card, baseUrl, credential: presented, request, timeoutMs }),
    )
    if (result.kind !== 'sent' || result.sent.kind !== 'answered' || result.sent.status !== 200) return null
    const count = fields(JSON.parse(result.sent.text))?.[member]
    return typeof count === 'number' && Number.isSafeInteger(count) && count > 0 ? count : null
  } catch {
    // An answer that is no JSON, or a body that the format cannot count.
    return null
  }
}
