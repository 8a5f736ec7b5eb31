import type { Call } from './context.ts'
import type { NamedCredential } from '../../calls/credential.ts'
import { DEFAULT_CREDENTIAL, elsewhere } from '../../calls/credential.ts'
import { registryOf } from './context.ts'
import type { Card } from '../../providers/card.ts'
import { accessTo } from '../../runtime/env.ts'
import { Failure } from '../../contract/failure.ts'

/** The credentials that a request names, by name; those that the account does not have are left out. */
export async function credentialsNamed(
  c: Call,
  names: readonly (string | undefined)[],
): Promise<ReadonlyMap<string, NamedCredential>> {
  const own = [...new Set(names.flatMap((name) => (name === undefined || name === DEFAULT_CREDENTIAL ? [] : [name])))]
  return new Map(own.length === 0 ? [] : Object.entries(await registryOf(c).credentialsNamed(own)))
}

/** Refuses a credential of the account that this provider, or the place where it is reached, must not see. */
export function refuseElsewhere(c: Call, card: Card, credential: NamedCredential, field = 'credential'): void {
  const refused = elsewhere(credential, accessTo(card, c.env))
  if (refused !== null) throw new Failure('provider_key_refused', `${refused}.`, { field })
}
