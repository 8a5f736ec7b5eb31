import { killSwitch as killSwitchBody } from '../../contract/account.ts'
import { rememberKillSwitch } from '../../runtime/kill-switch.ts'
import { admin } from '../server/auth.ts'
import { readBody } from '../server/read-body.ts'
import { clockOf, directoryOf, router } from '../server/context.ts'

/**
 * Stops every plan of every account, or lets them continue. It holds at once, because whoever sends asks the Directory; the accounts
 * are told one after the other, which `GET` shows. New accounts inherit it.
 */
export const killSwitch = router()
  .post('/kill-switch', admin, async (c) => {
    const { on } = await readBody(c, killSwitchBody)
    const { state, rollOut } = await directoryOf(c).setKillSwitch(on)
    rememberKillSwitch(state, clockOf(c).now())
    return c.json({ on, ...rollOut })
  })
  .get('/kill-switch', admin, async (c) => {
    const directory = directoryOf(c)
    const [{ on }, rollOut] = await Promise.all([directory.killSwitchState(), directory.rollOut()])
    return c.json({ on, ...rollOut })
  })
