import type { Call } from './context.ts'
import type { Card } from '../../providers/card.ts'
import { accessTo } from '../../runtime/env.ts'
import { Failure } from '../../contract/failure.ts'
import { registryOf } from './context.ts'
import { accessRefusal } from '../../calls/credential.ts'

/** Refuses a provider that is not warmed at all, before a plan for it is even shown. */
export function refuseUnwarmed(c: Call, card: Card): void {
  const { refusal } = accessTo(card, c.env)
  if (refusal?.kind === 'unsupported') throw new Failure(refusal.kind, refusal.message, refusal.detail)
}

/** Refuses before anything is stored or spent, in words. */
export async function refuseWithoutCredential(c: Call, card: Card): Promise<void> {
  const settings = await registryOf(c).settings()
  // Its key may still be believed for a moment after it was erased.
  if (settings === null) throw new Failure('unauthenticated', 'The account is gone.')
  const refused = accessRefusal(accessTo(card, c.env), settings.allowedSecrets)
  if (refused !== null) throw new Failure(refused.kind, refused.message, refused.detail)
}
