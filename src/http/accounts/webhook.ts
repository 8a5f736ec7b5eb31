import { Failure, invalid } from '../../contract/failure.ts'
import { newWebhook, webhookProblem } from '../../contract/webhook.ts'
import { postMessage, testMessage } from '../../calls/webhook-message.ts'
import { isDevelopment } from '../../runtime/env.ts'
import { newId } from '../../runtime/ids.ts'
import { existing } from './existing.ts'
import { admin } from '../server/auth.ts'
import { readBody } from '../server/read-body.ts'
import { clockOf, registryOf, router } from '../server/context.ts'
import { webhookJson } from '../present/webhook.ts'

/** The webhook of an account, for plans that stopped. */
export const webhook = router()
  .put('/accounts/:id/webhook', admin, async (c) => {
    const { url, rotate_secret: rotate = false } = await readBody(c, newWebhook)
    const problem = webhookProblem(url, isDevelopment(c.env))
    if (problem !== null) throw invalid('url', problem)
    const registry = registryOf(c, await existing(c))
    const before = await registry.webhook()
    const { view, secret } = await registry.putWebhook({ url, rotate })
    return c.json({ ...webhookJson(view), ...(secret === null ? {} : { secret }) }, before === null ? 201 : 200)
  })
  .get('/accounts/:id/webhook', admin, async (c) => {
    const view = await registryOf(c, await existing(c)).webhook()
    if (view === null) throw none()
    return c.json(webhookJson(view))
  })
  .post('/accounts/:id/webhook/test', admin, async (c) => {
    const account = await existing(c)
    const target = await registryOf(c, account).webhookTarget()
    if (target === null) throw none()
    const clock = clockOf(c)
    const id = newId('msg')
    const { status, why } = await postMessage(target, id, testMessage(account, clock.now()), c.env, clock)
    return c.json({ id, delivered: why === null, status, why })
  })
  .delete('/accounts/:id/webhook', admin, async (c) => {
    const account = await existing(c)
    if (!(await registryOf(c, account).removeWebhook())) throw none()
    return c.json({ id: 'webhook', deleted: true })
  })

function none(): Failure {
  return new Failure('not_found', 'This account has no webhook.')
}
