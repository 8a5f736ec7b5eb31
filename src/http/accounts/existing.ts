import { Failure } from '../../contract/failure.ts'
import { accountId } from '../../contract/scalars.ts'
import { namesOf } from '../../runtime/jurisdiction.ts'
import { iso } from '../present/format.ts'
import { directoryOf } from '../server/context.ts'
import type { Call } from '../server/context.ts'

/** The account that a path names, by its name inside. Throws `not_found` without a call to its Registry, which would create it, and `conflict` while it is being deleted. */
export async function existing(c: Call): Promise<string> {
  const id = await someAccount(c)
  await refuseDeleting(c, id)
  return id
}

/** The account that a path names, by its name inside, also while it is being deleted. */
export async function someAccount(c: Call): Promise<string> {
  const id = c.req.param('id') ?? ''
  const name = accountId.safeParse(id).success ? await nameOf(c, id) : null
  if (name === null) throw new Failure('not_found', 'There is no account with this id.')
  return name
}

/** Name inside of the account with an id; null: there is none. */
export async function nameOf(c: Call, id: string): Promise<string | null> {
  for (const name of namesOf(id)) if (await directoryOf(c).has(name)) return name
  return null
}

/** Throws `conflict` for an account whose deletion has begun and not ended. */
export async function refuseDeleting(c: Call, id: string): Promise<void> {
  const since = await directoryOf(c).deletingAt(id)
  if (since === null) return
  const text = `This account is being deleted since ${iso(since)}. DELETE /accounts/{id} goes on with that; so does the next sweep.`
  throw new Failure('conflict', text, { reason: 'deleting' })
}
