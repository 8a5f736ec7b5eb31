import { lostNanosADay, ticketOf } from '../../core/cache/alarms/alarms.ts'
import type { Alarm } from '../../core/prefix/parts.ts'
import type { PrefixView } from '../../durable/registry/records/prefix-view.ts'
import { factsModelOf } from '../../registration/record.ts'
import { factsOf } from '../../runtime/facts.ts'
import { iso, money } from './format.ts'

/** Alarms of a prefix that have not ended, with their cost at the prices of now. */
export function alarmsJson({ record, state, now }: Pick<PrefixView, 'record' | 'state' | 'now'>) {
  const { provider } = record
  const model = factsModelOf(record)
  const tokens = state.measuredTokens
  return (state.alarms ?? []).map((alarm: Alarm) => ({
    kind: alarm.kind,
    at: iso(alarm.at),
    since: iso(alarm.sinceAt),
    from: alarm.from,
    to: alarm.to,
    requests: alarm.requests,
    lost_usd_per_day: money(lostNanosADay(alarm, factsOf(provider, model, now).price, tokens)),
    why: alarm.why,
    ticket: ticketOf(alarm, { provider, model, tokens }),
  }))
}
