import { erasePrompts } from '../../erasure/account.ts'
import type { ErasedPrompts } from '../../erasure/account.ts'
import { account, admin } from '../server/auth.ts'
import { router } from '../server/context.ts'
import { existing } from './existing.ts'

/** Erases the stored prompts of one account, for its own key and for the administrator's. */
export const prompts = router()
  .delete('/prompts', account, async (c) => c.json(erasedJson(await erasePrompts(c.env, c.var.account))))
  .delete('/accounts/:id/prompts', admin, async (c) => c.json(erasedJson(await erasePrompts(c.env, await existing(c)))))

function erasedJson({ prefixes, managedCaches, bots }: ErasedPrompts) {
  return { erased: true, prefixes, managed_caches: managedCaches, bots }
}
