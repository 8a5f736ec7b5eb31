import type { Json } from '../remote/api.ts'
import { pairsOf, tableOf } from '../remote/table.ts'
import type { Column } from '../remote/table.ts'
import { at, clock, count, from, nameOf, text, usd } from '../remote/words.ts'
import type { Call } from './command.ts'

export const prefixPath = (name: string): string => `/prefixes/${encodeURIComponent(name)}`

/** The time of the deployment, which may run faster than this machine's. */
export async function serverNow({ api }: Call): Promise<number> {
  return Date.parse(text((await api.get('/health', 'nobody'))['now']))
}

/** Columns of prefixes, at an instant. */
export function columnsAt(now: number): Column<Json>[] {
  return [
    { title: 'NAME', of: nameOf },
    { title: 'STATE', of: (one) => text(at(one, 'warmth', 'state')) },
    { title: 'WARM UNTIL', of: (one) => from(now, at(one, 'warmth', 'warm_until')) },
    { title: 'PLAN', of: planOf },
    { title: 'HITS', of: (one) => count(one['hits']), right: true },
    { title: 'MISSES', of: (one) => count(one['misses']), right: true },
    { title: 'COST', of: (one) => usd(one['cost_usd']), right: true },
    { title: 'SAVED', of: (one) => usd(one['saved_usd']), right: true },
  ]
}

function planOf(prefix: Json): string {
  const stopped = at(prefix, 'plan', 'stopped', 'reason')
  const plan = at(prefix, 'keep_warm', 'plan')
  const name = typeof plan === 'string' ? plan : `${text(at(plan, 'probes'))} probes`
  return typeof stopped === 'string' ? `${name}, stopped: ${stopped}` : name
}

/** One prefix in words. */
export function described(one: Json, now: number): string {
  const drift = at(one, 'drift')
  const advice = (one['advice'] as Json[] | undefined) ?? []
  const alarms = (one['alarms'] as Json[] | undefined) ?? []
  return (
    pairsOf([
      ['name', text(one['name'])],
      ['id', text(one['id'])],
      ['model', `${text(one['model'])} at ${text(one['provider'])}, version ${text(one['version'])}`],
      ['warm', `${text(at(one, 'warmth', 'state'))}, ${from(now, at(one, 'warmth', 'warm_until'))}`],
      ['why', text(at(one, 'warmth', 'why'))],
      ['sure', `${((at(one, 'warmth', 'p_warm') as number | null) ?? 0).toFixed(2)} of 1`],
      ['plan', `${planOf(one)}: ${text(at(one, 'plan', 'why'))}`],
      ['next probe', from(now, at(one, 'plan', 'next_probe_at'))],
      ['tokens', count(one['measured_tokens'] ?? one['estimated_tokens'])],
      ['requests', `${count(one['hits'])} hits, ${count(one['misses'])} misses`],
      [
        'last hit',
        `${from(now, at(one, 'last_hit', 'at'))}, ${count(at(one, 'last_hit', 'cached_tokens'))} tokens read`,
      ],
      ['probes', count(one['probes'])],
      ['cost', `${usd(one['cost_usd'])}, today ${usd(one['cost_today_usd'])}`],
      ['saved', `${usd(one['saved_usd'])}, net ${usd(one['net_usd'])}`],
      ['drift', drift === null || drift === undefined ? null : text(at(drift, 'why'))],
      ['failure', one['last_failure'] === null ? null : text(at(one, 'last_failure', 'message'))],
    ]) +
    alarms.map((alarm) => `alarm: ${text(alarm['kind'])}: ${text(alarm['why'])}\n`).join('') +
    advice
      .map((each) => `advice: ${text(each['message'])}${each['fix'] === undefined ? '' : ` ${text(each['fix'])}`}\n`)
      .join('')
  )
}

/** One row of a history as a line. */
export function historyLine(row: Json): string {
  const when = `${text(row['at']).slice(5, 10)} ${clock(row['at'])}`
  switch (row['type']) {
    case 'receipt':
      return `${when}  ${text(row['purpose'])}  ${text(row['kind'])}: ${text(row['why'])}, ${usd(row['cost_usd'])}`
    case 'arrival':
      return `${when}  ${count(row['count'])} requests: ${count(row['hits'])} hits, ${count(row['misses'])} misses`
    default:
      return `${when}  ${text(row['decision'] ?? row['type'])}: ${text(row['why'] ?? row['reason'])}`
  }
}

/** A table of prefixes, as `watch` draws it. */
export function prefixTable(call: Call, all: readonly Json[], now: number): string {
  return tableOf(columnsAt(now), all, call.shell)
}
