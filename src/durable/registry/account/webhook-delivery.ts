import { postMessage } from '../../../calls/webhook-message.ts'
import type { WebhookMessage } from '../../../calls/webhook-message.ts'
import type { Delivery } from '../../../calls/webhook.ts'
import type { Clock } from '../../../runtime/clock.ts'
import type { Vars } from '../../../runtime/env.ts'
import { accountIdOf } from '../../../runtime/jurisdiction.ts'
import type { DeliveryAttempt } from './webhook.ts'

/** Posts a message about stopped plans, once. Never throws: the answer says what failed. */
export function deliverAlert(attempt: DeliveryAttempt, vars: Vars, clock: Clock): Promise<Delivery> {
  return postMessage(attempt.target, attempt.id, messageOf(attempt), vars, clock)
}

/** The message's body, the same for every attempt. */
function messageOf({ target, createdAt, count, stops }: DeliveryAttempt): WebhookMessage {
  return {
    type: 'plans.stopped',
    timestamp: new Date(createdAt).toISOString(),
    data: {
      account: accountIdOf(target.account),
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
