import { credentialName, newCredential } from '../../contract/credential.ts'
import { Failure, invalid, readFailure } from '../../contract/failure.ts'
import type { CredentialView } from '../../durable/registry/records/account.ts'
import { hostOf, DEFAULT_CREDENTIAL } from '../../calls/credential.ts'
import { isKeyFile, readServiceAccount } from '../../providers/transport/service-account.ts'
import type { Card } from '../../providers/card.ts'
import { accessTo } from '../../runtime/env.ts'
import { existing } from './existing.ts'
import { admin } from '../server/auth.ts'
import { readBody } from '../server/read-body.ts'
import { registryOf, router } from '../server/context.ts'
import { refuseRegion } from '../server/credential.ts'
import type { Call } from '../server/context.ts'
import { iso } from '../present/format.ts'
import { cardFor } from '../../registration/native.ts'

/** Providers' keys of one account. No answer contains a key. */
export const credentials = router()
  .put('/accounts/:id/credentials/:name', admin, async (c) => {
    const given = await readBody(c, newCredential)
    const name = nameOf(c)
    const card = cardFor(given.provider, 'provider')
    refuseKeyFile(card, given.secret)
    refuseRegion(card, given.region)
    const { region } = given
    const host = given.host ?? hostOf(accessTo(card, c.env, region).baseUrl)
    const registry = registryOf(c, await existing(c))
    const stored = await registry.putCredential({
      name,
      provider: card.id,
      host,
      ...(region === undefined ? {} : { region }),
      secret: given.secret,
    })
    return c.json(credentialJson(stored), stored.generation === 1 ? 201 : 200)
  })
  .get('/accounts/:id/credentials', admin, async (c) => {
    const stored = await registryOf(c, await existing(c)).credentials()
    return c.json({ data: stored.map(credentialJson), next_cursor: null })
  })
  .delete('/accounts/:id/credentials/:name', admin, async (c) => {
    const name = nameOf(c)
    if (!(await registryOf(c, await existing(c)).removeCredential(name))) {
      throw new Failure('not_found', 'There is no credential with this name.')
    }
    return c.json({ id: name, deleted: true })
  })

function nameOf(c: Call): string {
  const name = credentialName.safeParse(c.req.param('name'))
  if (!name.success) {
    throw invalid('name', 'must be 1 to 64 letters, digits, hyphens and underscores')
  }
  if (name.data !== DEFAULT_CREDENTIAL) return name.data
  throw invalid('name', 'must not be "default", which means the Worker secret of the provider')
}

/** Refuses a key file that its provider does not take, or that cannot be read. */
function refuseKeyFile(card: Card, secret: string): void {
  if (!isKeyFile(secret)) return
  if (card.serviceAccounts !== true) throw invalid('secret', `must be a key for ${card.id}, not a key file in JSON`)
  try {
    readServiceAccount(secret)
  } catch (thrown) {
    const message = readFailure(thrown)?.message ?? 'The service-account key cannot be read.'
    throw invalid('secret', message.replace(/\.$/, ''))
  }
}

export function credentialJson(stored: CredentialView) {
  return {
    name: stored.name,
    provider: stored.provider,
    host: stored.host,
    ...(stored.region === null ? {} : { region: stored.region }),
    generation: stored.generation,
    created_at: iso(stored.createdAt),
    sealed_with: stored.sealedWith,
  }
}
