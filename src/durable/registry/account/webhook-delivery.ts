import { postMessage } from '../../../calls/webhook-message.ts'
import type { WebhookMessage } from '../../../calls/webhook-message.ts'
import type { Delivery } from '../../../calls/webhook.ts'
import type { Clock } from '../../../runtime/clock.ts'
import type { Vars } from '../../../runtime/env.ts'
import { lostNanosADay, ticketOf } from '../../../core/cache/alarms/alarms.ts'
import { usd } from '../../../core/model/price.ts'
import { factsOf } from '../../../runtime/facts.ts'
import { accountIdOf } from '../../../runtime/jurisdiction.ts'
import type { RaisedAlarm } from '../tables/outbox.ts'
import type { DeliveryAttempt } from './webhook.ts'

/** Posts a message about stopped plans or alarms, once. Never throws: the answer says what failed. */
export function deliverAlert(attempt: DeliveryAttempt, vars: Vars, clock: Clock): Promise<Delivery> {
  return postMessage(attempt.target, attempt.id, messageOf(attempt), vars, clock)
}

/** The message's body, the same for every attempt. */
function messageOf({ target, createdAt, count, kind, stops, alarms }: DeliveryAttempt): WebhookMessage {
  const isStop = kind === 'stopped'
  return {
    type: isStop ? 'plans.stopped' : 'prefix.alarm',
    kind,
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
      ...(isStop ? {} : { alarms: alarms.map((alarm) => alarmOf(alarm, createdAt)) }),
    },
  }
}

/** An alarm, priced at the rows of the day on which it was raised, so that every attempt says the same. */
function alarmOf(alarm: RaisedAlarm, createdAt: number): NonNullable<WebhookMessage['data']['alarms']>[number] {
  const { prefixId, name, provider, model, tokens } = alarm
  const lost = lostNanosADay(alarm, factsOf(provider, model, createdAt).price, tokens)
  return {
    prefix_id: prefixId,
    name,
    provider,
    model,
    kind: alarm.kind,
    at: new Date(alarm.at).toISOString(),
    since: new Date(alarm.sinceAt).toISOString(),
    from: alarm.from,
    to: alarm.to,
    requests: alarm.requests,
    lost_usd_per_day: lost === null ? null : usd(lost),
    why: alarm.why,
    ticket: ticketOf(alarm, alarm),
  }
}
