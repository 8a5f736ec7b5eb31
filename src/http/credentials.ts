import { credentialName, newCredential } from '../contract/credential.ts'
import { Failure, readFailure } from '../contract/failures.ts'
import type { CredentialView } from '../durable/credentials.ts'
import { DEFAULT_CREDENTIAL } from '../durable/records.ts'
import type { NamedCredential } from '../durable/records.ts'
import { elsewhere, hostOf } from '../durable/credential.ts'
import { isKeyFile, readServiceAccount } from '../providers/service-account.ts'
import type { Card } from '../providers/types.ts'
import { accessTo } from '../runtime/env.ts'
import { existing } from './accounts.ts'
import { admin } from './auth.ts'
import { readBody } from './body.ts'
import { registryOf, room } from './context.ts'
import type { Call } from './context.ts'
import { cardFor } from './preparation.ts'
import { DEFAULT_USE } from './same-content.ts'
import type { CredentialUse } from './same-content.ts'
import { iso } from './present.ts'

/** Providers' keys of one account. What is put in never comes out of here. */
export const credentials = room()
  .put('/accounts/:id/credentials/:name', admin, async (c) => {
    const given = await readBody(c, newCredential)
    const name = nameOf(c)
    const card = cardFor(given.provider, 'provider')
    refuseKeyFile(card, given.secret)
    const host = given.host ?? hostOf(accessTo(card, c.env).baseUrl)
    const registry = registryOf(c, await existing(c))
    const stored = await registry.putCredential({ name, provider: card.id, host, secret: given.secret })
    return c.json(credentialJson(stored), stored.generation === 1 ? 201 : 200)
  })
  .get('/accounts/:id/credentials', admin, async (c) => {
    const stored = await registryOf(c, await existing(c)).credentials()
    return c.json({ data: stored.map(credentialJson), next_cursor: null })
  })
  .delete('/accounts/:id/credentials/:name', admin, async (c) => {
    const name = nameOf(c)
    if (!(await registryOf(c, await existing(c)).removeCredential(name))) {
      throw new Failure('not_found', 'There is no such credential.')
    }
    return c.json({ id: name, deleted: true })
  })

function nameOf(c: Call): string {
  const name = credentialName.safeParse(c.req.param('name'))
  if (!name.success) {
    throw new Failure('invalid_request', 'name: must be 1 to 64 letters, digits, hyphens and underscores.', {
      field: 'name',
    })
  }
  if (name.data !== DEFAULT_CREDENTIAL) return name.data
  throw new Failure('invalid_request', 'name: "default" stands for the Worker secret of the provider.', {
    field: 'name',
  })
}

/** A key file is for providers that exchange one, and has to be whole. */
function refuseKeyFile(card: Card, secret: string): void {
  if (!isKeyFile(secret)) return
  const invalid = (why: string): Failure => new Failure('invalid_request', `secret: ${why}`, { field: 'secret' })
  if (card.serviceAccounts !== true) throw invalid(`${card.id} takes a key, not a key file in JSON.`)
  try {
    readServiceAccount(secret)
  } catch (thrown) {
    throw invalid(readFailure(thrown)?.message ?? 'The service-account key cannot be read.')
  }
}

function credentialJson(stored: CredentialView) {
  return {
    name: stored.name,
    provider: stored.provider,
    host: stored.host,
    generation: stored.generation,
    created_at: iso(stored.createdAt),
    sealed_with: stored.sealedWith,
  }
}

/** The credentials that a request names, by name; those that the account does not have are left out. */
export async function credentialsNamed(
  c: Call,
  names: readonly (string | undefined)[],
): Promise<ReadonlyMap<string, NamedCredential>> {
  const own = [...new Set(names.flatMap((name) => (name === undefined || name === DEFAULT_CREDENTIAL ? [] : [name])))]
  return new Map(own.length === 0 ? [] : Object.entries(await registryOf(c).credentialsNamed(own)))
}

/** The use of a credential by its name. Throws `invalid_request` at `field` when the account has none of it. */
export function useOf(
  name: string | undefined,
  known: ReadonlyMap<string, NamedCredential>,
  field = 'credential',
): CredentialUse {
  if (name === undefined || name === DEFAULT_CREDENTIAL) return DEFAULT_USE
  const credential = known.get(name)
  if (credential !== undefined) return { name, generation: credential.generation }
  throw new Failure('invalid_request', `${field}: this account has no credential of that name.`, { field })
}

/** Refuses a credential of the account that this provider, or the place where it is reached, must not see. */
export function refuseElsewhere(c: Call, card: Card, credential: NamedCredential, field = 'credential'): void {
  const refused = elsewhere(credential, accessTo(card, c.env))
  if (refused !== null) throw new Failure('provider_key_refused', `${refused}.`, { field })
}
