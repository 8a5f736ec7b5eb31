import { Failure } from '../../contract/failure.ts'
import { didYouMean } from '../../contract/nearest.ts'
import { label } from '../../contract/scalars.ts'
import { registryOf } from '../server/context.ts'
import type { Call } from '../server/context.ts'
import { orOlder } from '../server/older-object.ts'

/** What an object of the version before says of a name. */
const UNKNOWN = { id: null, near: [] }

const ID = /^pfx_\d{1,4}_[0-9a-f]{24}$/

/**
 * The id of the prefix that a path names: by its id, or by a label, which stands for the current version of it. What has the form of an id is one. A text that can be
 * neither is not found without asking.
 */
export async function idOf(c: Call): Promise<string> {
  const given = c.req.param('id') ?? ''
  if (ID.test(given)) return given
  if (!label.safeParse(given).success || given === '')
    throw new Failure('not_found', 'There is no prefix with this id or name.')
  const { id, near } = await orOlder('prefixNamed', registryOf(c).prefixNamed(given), UNKNOWN)
  if (id !== null) return id
  const hint = didYouMean(given, near)
  throw new Failure('not_found', `There is no prefix with this id or name.${hint} GET /prefixes lists them.`)
}
