import { badMonth, ManagedCacheWorld } from '../test/scenarios/managed-cache-world.ts'
import type { ManagedCacheFigures } from '../test/scenarios/managed-cache-world.ts'
import { cpuSeconds, say } from './figure.ts'
import type { Figure } from './figure.ts'
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../src/core/time/time.ts'

const DAYS = 30
const SEEDS = [1, 2]

/** Runs thirty days of a fleet of managed caches with losses and a faulty provider and platform. */
export async function managedCaches(): Promise<{ figures: Figure[]; notes: string[] }> {
  const figures: Figure[] = []
  for (const seed of SEEDS) {
    say(`managed-caches: seed ${seed} of ${SEEDS.join(', ')} …`)
    const { result, cpuS } = await cpuSeconds(() => new ManagedCacheWorld(badMonth(seed)).runFor(DAYS * DAY_MS))
    figures.push(...figuresOf(`seed ${seed}`, result, cpuS))
  }
  say('managed-caches: once more, with confirmations of up to ten minutes …')
  const trusting = new ManagedCacheWorld({ ...badMonth(1), maxAgeMs: 600_000 }).runFor(DAYS * DAY_MS)
  figures.push({
    name: 'max_age=10m: dead handles seen',
    value: trusting.deadSeen,
    unit: `of ${trusting.served}`,
    how: 'the same month where callers accept a confirmation of up to ten minutes: the cost of that option, and the proof that this bench sees dead handles',
  })
  const { tokens, apps, needsAnHour, lostEveryMs } = badMonth(1)
  const notes = [
    `${needsAnHour.length} contents of ${tokens.toLocaleString('en-US')} tokens, ${apps} processes each, which need the cache ${needsAnHour.join(', ')} times an hour; a cache ends after an hour without a request. The price of storage doubles during the month, on 2027-01-01.`,
    `Each content loses its cache about every ${lostEveryMs / HOUR_MS} hours: somebody deletes it, or moves its expiry to the next minute. The provider refuses 2 % of calls with a 5xx, and does 1 % without an answer. 1 % of callers die before they report. Messages are late, 1 % are lost, 2 % are delivered twice. 10 % of ticks do not come. The Registry restarts from its tables in 1 % of minutes.`,
    'The scheduler, its tables and its decisions are the shipped ones; the bench plays the loops of the Worker around them. Renewals, confirmations and deletions are calls about a cache: none of them calls a model.',
    'Create-per-process is the usual way: each process creates a cache for an hour when it has none, and another when the provider refuses its handle. It has the same needs and the same losses.',
  ]
  return { figures, notes }
}

function figuresOf(of: string, result: ManagedCacheFigures, cpuS: number): Figure[] {
  const { perProcess, calls } = result
  return [
    {
      name: `${of}: dead handles seen`,
      value: result.deadSeen,
      unit: `of ${result.served} given to callers`,
      aim: '0',
      how: 'handles given to a caller though the cache did not exist at the provider when the caller asked',
    },
    {
      name: `${of}: deleted in transit`,
      value: result.deletedInTransit,
      unit: 'caches',
      how: "deleted by somebody in the milliseconds between the provider's confirmation and our answer; callers report them with POST /caches/{id}/report-gone",
    },
    {
      name: `${of}: oldest orphan`,
      value: result.oldestOrphanMs / MINUTE_MS,
      unit: 'min',
      aim: '≤ 60',
      how: `searched every minute: caches of this deployment that no table knows, by their age; ${result.orphans} in all`,
    },
    {
      name: `${of}: needs without a handle`,
      value: (100 * result.withoutHandle) / result.needs,
      unit: '%',
      how: `${result.withoutHandle} of ${result.needs}: the provider did not confirm or create one, so the caller sends the contents themselves`,
    },
    {
      name: `${of}: caches of others changed`,
      value: result.foreignTouched,
      unit: '',
      aim: '0',
      how: 'three caches of others, one of them of another deployment of this product',
    },
    {
      name: `${of}: storage`,
      value: result.storageUsd,
      unit: 'USD',
      how: `tokens × hours stored at the provider × its price; create-per-process: $${perProcess.storageUsd.toFixed(2)}`,
    },
    {
      name: `${of}: creations`,
      value: result.creationUsd,
      unit: 'USD',
      how: `${calls.create} creations of shared caches; create-per-process: ${perProcess.creations} for $${perProcess.creationUsd.toFixed(2)}`,
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
      how: `$${result.meteredUsd.toFixed(2)} metered: a cache that somebody deleted is counted until the next confirmation fails; orphans of unknown creations are counted when they are found`,
    },
    {
      name: `${of}: calls about caches`,
      value: calls.renew + calls.verify + calls.delete,
      unit: '',
      how: `${calls.renew} renewals, ${calls.verify} confirmations, ${calls.delete} deletions; no call of a model`,
    },
    { name: `${of}: CPU`, value: cpuS, unit: 's', how: 'process.cpuUsage of the whole world' },
  ]
}
