import { badMonth, HandleWorld } from '../test/scenarios/handle-world.ts'
import type { HandleFigures } from '../test/scenarios/handle-world.ts'
import { cpuSeconds, say } from './figure.ts'
import type { Figure } from './figure.ts'
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../src/core/time/time.ts'

const DAYS = 30
const SEEDS = [1, 2]

/** Thirty days of a fleet of handles whose owners, provider and platform are careless. */
export async function handles(): Promise<{ figures: Figure[]; notes: string[] }> {
  const figures: Figure[] = []
  for (const seed of SEEDS) {
    say(`handles: seed ${seed} of ${SEEDS.join(', ')} …`)
    const { result, cpuS } = await cpuSeconds(() => new HandleWorld(badMonth(seed)).runFor(DAYS * DAY_MS))
    figures.push(...figuresOf(`seed ${seed}`, result, cpuS))
  }
  say('handles: once more, with confirmations of up to ten minutes …')
  const trusting = new HandleWorld({ ...badMonth(1), maxAgeMs: 600_000 }).runFor(DAYS * DAY_MS)
  figures.push({
    name: 'max_age=10m: dead handles seen',
    value: trusting.deadSeen,
    unit: `of ${trusting.served}`,
    how: 'the same month where callers do with a confirmation of up to ten minutes: what that convenience costs, and proof that this bench can see a dead handle',
  })
  const { tokens, apps, needsAnHour, lostEveryMs } = badMonth(1)
  const notes = [
    `${needsAnHour.length} contents of ${tokens.toLocaleString('en-US')} tokens, ${apps} processes each, which need the handle ${needsAnHour.join(', ')} times an hour; kept while somebody asks within an hour. The price of storage doubles on the way, on 2027-01-01.`,
    `Each content loses a handle about every ${lostEveryMs / HOUR_MS} hours: deleted by somebody, or its expiry moved to the next minute. 2 % of calls are refused with a 5xx, 1 % are done and never answered; 1 % of those who call the provider die before they report; messages are late, 1 % lost, 2 % delivered twice; 10 % of ticks do not come; the Registry starts anew from its tables in 1 % of minutes.`,
    'The keeper, its tables and its decisions are the shipped ones; the loops of the Worker around them are played step by step. Renewals, confirmations and deletions are calls about a handle: no model is called for any of them.',
    'Create-per-process is the usual way: each process creates a handle for an hour when it has none, and another when it is refused. It has the same needs and the same losses.',
  ]
  return { figures, notes }
}

function figuresOf(of: string, result: HandleFigures, cpuS: number): Figure[] {
  const { perProcess, calls } = result
  return [
    {
      name: `${of}: dead handles seen`,
      value: result.deadSeen,
      unit: `of ${result.served} handed out`,
      aim: '0',
      how: 'handles handed to a caller that the provider did not have when it was asked for them',
    },
    {
      name: `${of}: lost in the air`,
      value: result.lostInTheAir,
      unit: 'handles',
      how: "deleted by somebody in the milliseconds between the provider's word and the caller's ear; POST /caches/{id}/report-gone is for these",
    },
    {
      name: `${of}: oldest orphan`,
      value: result.oldestOrphanMs / MINUTE_MS,
      unit: 'min',
      aim: '≤ 60',
      how: `looked for every minute: handles with our mark that no table knows, by their age; ${result.orphans} in all`,
    },
    {
      name: `${of}: needs without a handle`,
      value: (100 * result.withoutHandle) / result.needs,
      unit: '%',
      how: `${result.withoutHandle} of ${result.needs}: the provider did not confirm or make one; the caller sends the contents themselves`,
    },
    {
      name: `${of}: other people's handles touched`,
      value: result.foreignTouched,
      unit: '',
      aim: '0',
      how: 'three handles without our mark, one of them with the mark of another deployment',
    },
    {
      name: `${of}: storage`,
      value: result.storageUsd,
      unit: 'USD',
      how: `tokens × hours that the provider kept × its price; create-per-process: $${perProcess.storageUsd.toFixed(2)}`,
    },
    {
      name: `${of}: creations`,
      value: result.creationUsd,
      unit: 'USD',
      how: `${calls.create} creations of shared handles; create-per-process: ${perProcess.creations} for $${perProcess.creationUsd.toFixed(2)}`,
    },
    {
      name: `${of}: create-per-process, in all`,
      value: (perProcess.storageUsd + perProcess.creationUsd) / (result.storageUsd + result.creationUsd),
      unit: '× ours',
      how: `creation and storage together; its callers sent ${perProcess.refusals} dead handles and were refused`,
    },
    {
      name: `${of}: storage meter`,
      value: (100 * (result.meteredUsd - result.storageUsd)) / result.storageUsd,
      unit: '% above the truth',
      how: `$${result.meteredUsd.toFixed(2)} metered: a handle that somebody deleted is counted until we hear of it; orphans of unknown creations are counted when they are found`,
    },
    {
      name: `${of}: calls about handles`,
      value: calls.renew + calls.verify + calls.delete,
      unit: '',
      how: `${calls.renew} renewals, ${calls.verify} confirmations, ${calls.delete} deletions; no call of a model`,
    },
    { name: `${of}: CPU`, value: cpuS, unit: 's', how: 'process.cpuUsage of the whole world' },
  ]
}
