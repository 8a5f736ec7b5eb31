import { createMiddleware } from 'hono/factory'
import { tellKillSwitch } from '../../runtime/kill-switch.ts'
import { clockOf } from './context.ts'
import type { Shared } from './context.ts'

/** Tells the account of the kill switch first, on routes that may call a provider: it then refuses or warms as of this moment. */
export const switchTold = createMiddleware<Shared>(async (c, next) => {
  await tellKillSwitch(c.env, clockOf(c), c.var.account)
  await next()
})
