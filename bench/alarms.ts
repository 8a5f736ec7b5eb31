import { KINDS, quietMonth, requestsUntilTold } from '../test/scenarios/alarms.ts'
import { quantile, say } from './figure.ts'
import type { Figure } from './figure.ts'

/** Months of each kind of traffic. */
const MONTHS_EACH = 46
const FALLS = 500

/** Counts false alarms over months in which nothing changed, and requests until a fall of the hit rate is told. */
export async function alarmsBench(): Promise<{ figures: Figure[]; notes: string[] }> {
  const [raised, sum] = [new Map<string, number>(), { months: 0, requests: 0, alarms: 0 }]
  for (const [index, kind] of KINDS.entries()) {
    say(`alarms: ${kind}, ${index + 1} of ${KINDS.length} …`)
    for (let month = 0; month < MONTHS_EACH; month++) {
      const { alarms, requests } = quietMonth(kind, index * MONTHS_EACH + month + 1)
      sum.months += 1
      sum.requests += requests
      sum.alarms += alarms.length
      for (const alarm of alarms) raised.set(`${kind}: ${alarm.kind}`, (raised.get(`${kind}: ${alarm.kind}`) ?? 0) + 1)
    }
  }
  const told = Array.from({ length: FALLS }, (_, index) => requestsUntilTold(0.9, 0.5, index + 1) ?? Infinity)
  const within = told.filter((requests) => requests <= 50).length / FALLS
  const figures: Figure[] = [
    {
      name: 'false alarms',
      value: sum.alarms,
      unit: `in ${sum.months} prefix-months`,
      aim: '≤ 3 in 3,000',
      how: `alarms of any kind in ${KINDS.length} kinds of months in which nothing changed, ${sum.requests} requests`,
    },
    {
      name: 'fall told, median',
      value: quantile(told, 0.5),
      unit: 'requests',
      aim: '≤ 50',
      how: `from the first request after the hit rate fell from 0.9 to 0.5, after 1,000 requests, over ${FALLS} seeds`,
    },
    { name: 'fall told, 90 of 100', value: quantile(told, 0.9), unit: 'requests', aim: '≤ 50', how: 'the same' },
    { name: 'fall told, 99 of 100', value: quantile(told, 0.99), unit: 'requests', how: 'the same' },
    { name: 'told within 50', value: within, unit: 'of the seeds', how: 'the same' },
  ]
  const kinds = [...raised].map(([kind, count]) => `${kind} ${count}`).join(', ')
  const notes = [
    'Each request goes through the code that an account runs: real requests, drift, retention, alarms. No keep-alives are sent.',
    `Months have up to 4,000 requests. False alarms by kind: ${kinds === '' ? 'none' : kinds}.`,
  ]
  return { figures, notes }
}
