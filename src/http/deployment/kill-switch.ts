import { killSwitch as killSwitchBody } from '../../contract/account.ts'
import { Failure } from '../../contract/failure.ts'
import { admin } from '../server/auth.ts'
import { readBody } from '../server/read-body.ts'
import { directoryOf, registryOf, router } from '../server/context.ts'

/** Registries told at once. */
const WIDTH = 50

/** Stops every plan of every account, or lets them go on. A new account inherits it. */
export const killSwitch = router().post('/kill-switch', admin, async (c) => {
  const { on } = await readBody(c, killSwitchBody)
  const directory = directoryOf(c)
  // First for accounts to come, then for those that are there: none can slip between the two.
  await directory.setKillSwitch(on)
  const ids = (await directory.accounts()).map(({ id }) => id)
  let failed = 0
  for (let first = 0; first < ids.length; first += WIDTH) {
    const told = await Promise.allSettled(
      ids.slice(first, first + WIDTH).map((id) => registryOf(c, id).configure({ globalKillSwitch: on })),
    )
    failed += told.filter(({ status }) => status === 'rejected').length
  }
  if (failed > 0) {
    throw new Failure('internal', `${failed} of ${ids.length} accounts did not hear of it; call again.`, { on, failed })
  }
  return c.json({ on, accounts: ids.length, failed })
})
