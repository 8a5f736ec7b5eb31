import { accessRefusal, DEFAULT_CREDENTIAL, elsewhere } from '../../calls/credential.ts'
import type { NamedCredential } from '../../calls/credential.ts'
import { Failure, invalid } from '../../contract/failure.ts'
import type { Card } from '../../providers/card.ts'
import { accessTo, takesRegion } from '../../runtime/env.ts'
import { registryOf } from './context.ts'
import type { Call } from './context.ts'

/** Credentials of an account by name: as many as a request names. */
export type KnownCredentials = ReadonlyMap<string, NamedCredential>

/** The credentials that a request names, by name; those that the account does not have are left out. */
export async function credentialsNamed(c: Call, names: readonly (string | undefined)[]): Promise<KnownCredentials> {
  const own = [...new Set(names.flatMap((name) => (name === undefined || name === DEFAULT_CREDENTIAL ? [] : [name])))]
  return new Map(own.length === 0 ? [] : Object.entries(await registryOf(c).credentialsNamed(own)))
}

/** Refuses a credential of the account that was stored for another provider or another host. */
export function refuseElsewhere(
  c: Call,
  card: Card,
  credential: NamedCredential,
  field = 'credential',
  region?: string,
): void {
  const refused = elsewhere(credential, accessTo(card, c.env, region))
  if (refused !== null) throw new Failure('provider_key_refused', `${refused}.`, { field })
}

/** Refuses a provider that this deployment does not warm at all. */
export function refuseUnwarmed(c: Call, card: Card): void {
  const { refusal } = accessTo(card, c.env)
  if (refusal?.kind === 'unsupported') throw new Failure(refusal.kind, refusal.message, refusal.detail)
}

/** Refuses an account that may not use the provider's Worker secret, and a deployment that lacks it. */
export async function refuseWithoutSecret(c: Call, card: Card): Promise<void> {
  const settings = await registryOf(c).settings()
  // A verified key is cached for some seconds, so that it may outlive its account.
  if (settings === null) throw new Failure('unauthenticated', 'The account was deleted.')
  const refused = accessRefusal(accessTo(card, c.env), settings.allowedSecrets)
  if (refused !== null) throw new Failure(refused.kind, refused.message, refused.detail)
}

/** Refuses, before anything is stored or spent, a call that could not be sent: with a credential of the account, or without one. */
export async function refuseUnsendable(
  c: Call,
  card: Card,
  credential: NamedCredential | undefined,
  region?: string,
): Promise<void> {
  if (credential === undefined) await refuseWithoutSecret(c, card)
  else refuseElsewhere(c, card, credential, 'credential', region)
}

/** The region of a call: the one that the caller names, else that of the credential. Refuses one where the address holds none. */
export function regionFor(
  card: Card,
  named: string | undefined,
  credential: NamedCredential | undefined,
): { region?: string } {
  const region = named ?? credential?.region ?? undefined
  refuseRegion(card, region)
  return region === undefined ? {} : { region }
}

/** Refuses a region or location for a provider whose address holds none. */
export function refuseRegion(card: Card, region: string | undefined, field = 'region'): void {
  if (region !== undefined && !takesRegion(card)) throw invalid(field, `is not part of the address of ${card.id}`)
}

/** What the account may still spend today, in nano-dollars; null: it has no budget. */
export async function leftToday(c: Call): Promise<number | null> {
  return (await registryOf(c).grantsForCount(DEFAULT_CREDENTIAL))?.leftNanos ?? null
}
