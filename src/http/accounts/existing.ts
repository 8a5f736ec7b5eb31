import { Failure } from '../../contract/failure.ts'
import { accountId } from '../../contract/scalars.ts'
import { iso } from '../present/format.ts'
import { directoryOf } from '../server/context.ts'
import type { Call } from '../server/context.ts'

/** The account that a path names. Throws `not_found` without a call to its Registry, which would create it, and `conflict` while it is being deleted. */
export async function existing(c: Call): Promise<string> {
  const id = await someAccount(c)
  await refuseDeleting(c, id)
  return id
}

/** The account that a path names, also while it is being deleted. */
export async function someAccount(c: Call): Promise<string> {
  const id = c.req.param('id') ?? ''
  if (accountId.safeParse(id).success && (await directoryOf(c).has(id))) return id
  throw new Failure('not_found', 'There is no account with this id.')
}

/** Throws `conflict` for an account whose deletion has begun and not ended. */
export async function refuseDeleting(c: Call, id: string): Promise<void> {
  const since = await directoryOf(c).deletingAt(id)
  if (since === null) return
  const text = `This account is being deleted since ${iso(since)}. DELETE /accounts/{id} goes on with that; so does the next sweep.`
  throw new Failure('conflict', text, { reason: 'deleting' })
}
