import type * as z from 'zod'
import { readFailure } from '../../../contract/failure.ts'
import { webhookProblem } from '../../../contract/webhook.ts'
import { webhookSecrets } from './webhook.ts'
import type { DeliveryAttempt, WebhookTarget } from './webhook.ts'
import type { Clock } from '../../../runtime/clock.ts'
import { deliver } from '../../../calls/webhook.ts'
import type { Delivery } from '../../../calls/webhook.ts'
import { isDevelopment } from '../../../runtime/env.ts'
import type { Vars } from '../../../runtime/env.ts'
import type { webhookMessage } from '../../../contract/webhook.ts'

type Message = z.output<typeof webhookMessage>

/** Makes one try to deliver a message. Never throws: how it went wrong is the answer. */
export function deliverAlert(one: DeliveryAttempt, vars: Vars, clock: Clock): Promise<Delivery> {
  return postTo(one.target, one.id, messageOf(one), vars, clock)
}

/** Posts a message to a webhook, once. Never throws: how it went wrong is the answer. */
export async function postTo(
  target: WebhookTarget,
  id: string,
  message: Message,
  vars: Vars,
  clock: Clock,
): Promise<Delivery> {
  const problem = webhookProblem(target.url, isDevelopment(vars))
  if (problem !== null) return { status: null, why: `url: ${problem}`, final: false }
  try {
    const secrets = webhookSecrets(target, vars)
    return await deliver({
      url: target.url,
      secrets,
      id,
      body: JSON.stringify(message),
      sentAt: clock.realAt(clock.now()),
    })
  } catch (thrown) {
    return { status: null, why: readFailure(thrown)?.message ?? 'the message could not be signed', final: false }
  }
}

/** The same text at every try. */
function messageOf({ target, createdAt, count, stops }: DeliveryAttempt): Message {
  return {
    type: 'plans.stopped',
    timestamp: new Date(createdAt).toISOString(),
    data: {
      account: target.account,
      count,
      stops: stops.map(({ prefixId, name, provider, model, reason, why, at }) => ({
        prefix_id: prefixId,
        name,
        provider,
        model,
        reason,
        why,
        at: new Date(at).toISOString(),
      })),
    },
  }
}

/** What `POST /accounts/{id}/webhook/test` sends: a message about nothing. */
export function testMessage(account: string, now: number): Message {
  return { type: 'webhook.test', timestamp: new Date(now).toISOString(), data: { account, count: 0, stops: [] } }
}
