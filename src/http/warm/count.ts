import { countedByProvider } from '../../calls/count-tokens.ts'
import { secretFor } from '../../calls/credential.ts'
import { callLimit, mostTokens, worstNanosAt } from '../../core/planning/budget.ts'
import { boundByCount } from '../../core/prompt/token-bound.ts'
import type { TokenBound } from '../../core/prompt/token-bound.ts'
import { dialectOf } from '../../providers/registry.ts'
import { sizeOf } from '../../registration/record.ts'
import type { Preparation } from '../../registration/prepare.ts'
import { accessTo } from '../../runtime/env.ts'
import { clockOf, registryOf } from '../server/context.ts'
import type { Call } from '../server/context.ts'

/** Counts of the last contents that were asked for, by account and fingerprint; null: the provider did not say. */
const counts = new Map<string, number | null>()
const MOST_REMEMBERED = 256

/**
 * The same preparation, with the provider's own count as its bound where its budget does not hold the bound without it. The provider is asked
 * once for a content, free of charge; if it does not answer, the bound stays.
 */
export async function counted(c: Call, preparation: Preparation): Promise<Preparation> {
  const { card, registration } = preparation
  const { count: format } = dialectOf(card)
  const margin = card.tokens?.count
  if (format === undefined || margin === undefined || !isTooMuch(preparation, registration)) return preparation
  const known = await registryOf(c).findByFingerprint(registration.fingerprint)
  if (known !== null && (known.state.countedTokens !== undefined || !isTooMuch(preparation, known.record)))
    return preparation
  const tokens = await askedOnce(c, preparation, format)
  if (tokens === null || registration.bound === undefined) return preparation
  return { ...preparation, registration: { ...registration, bound: boundByCount(registration.bound, tokens, margin) } }
}

/** Whether the budget of a day, or the cap of a call, does not hold the first write. An unknown price is no reason to count. */
function isTooMuch(
  { facts, keepWarm, registration }: Preparation,
  size: { estimatedTokens: number; bound?: TokenBound },
): boolean {
  const context = { facts, ...sizeOf(size), outputFloor: registration.outputFloors[0] ?? 0 }
  if (facts.price === null) return false
  if (mostTokens({ measuredTokens: null }, context) === null) return true
  const worst = worstNanosAt(registration.retention, { measuredTokens: null }, context)
  return worst !== null && worst > callLimit(keepWarm)
}

async function askedOnce(
  c: Call,
  { card, prefix, registration }: Preparation,
  format: Parameters<typeof countedByProvider>[1],
): Promise<number | null> {
  const key = `${c.var.account} ${registration.fingerprint}`
  const known = counts.get(key)
  if (known !== undefined) return known
  const { credential, credentialGeneration = 1, region, headers = {} } = registration
  const grants = await registryOf(c).grantsForCount(credential)
  // Bodies with placeholders hold credentials of MCP servers, which no count takes.
  if (grants === null || grants.killed || prefix.credentials !== undefined) return null
  const access = accessTo(card, c.env, region)
  let secret: string
  try {
    secret = secretFor({ credential, credentialGeneration }, access, grants.allowedSecrets, grants.credentials, c.env)
  } catch {
    // The call itself fails for the same reason, and says which.
    return null
  }
  const tokens = await countedByProvider({ access, credential: secret, clock: clockOf(c), headers }, format, prefix)
  counts.set(key, tokens)
  const [oldest] = counts.keys()
  if (counts.size > MOST_REMEMBERED && oldest !== undefined) counts.delete(oldest)
  return tokens
}
