import { killSwitch as killSwitchBody } from '../../contract/account.ts'
import { admin } from '../server/auth.ts'
import { readBody } from '../server/read-body.ts'
import { directoryOf, router } from '../server/context.ts'
import { everyRegistry } from '../server/every-registry.ts'

/** Stops every plan of every account, or lets them continue. New accounts inherit it. */
export const killSwitch = router().post('/kill-switch', admin, async (c) => {
  const { on } = await readBody(c, killSwitchBody)
  // First for accounts that will be created, then for those that exist: so none is missed between the two.
  await directoryOf(c).setKillSwitch(on)
  const accounts = await everyRegistry(c, (registry) => registry.configure({ globalKillSwitch: on }), { on })
  return c.json({ on, accounts, failed: 0 })
})
