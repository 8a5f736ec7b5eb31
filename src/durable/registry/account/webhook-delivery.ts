import { postMessage } from '../../../calls/webhook-message.ts'
import type { WebhookMessage } from '../../../calls/webhook-message.ts'
import type { Delivery } from '../../../calls/webhook.ts'
import type { Clock } from '../../../runtime/clock.ts'
import type { Vars } from '../../../runtime/env.ts'
import type { DeliveryAttempt } from './webhook.ts'

/** Makes one try to deliver a message. Never throws: how it went wrong is the answer. */
export function deliverAlert(one: DeliveryAttempt, vars: Vars, clock: Clock): Promise<Delivery> {
  return postMessage(one.target, one.id, messageOf(one), vars, clock)
}

/** The same text at every try. */
function messageOf({ target, createdAt, count, stops }: DeliveryAttempt): WebhookMessage {
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
