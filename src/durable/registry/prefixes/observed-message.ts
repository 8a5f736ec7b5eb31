import type { Arrival } from '../../../core/events/arrived.ts'
import type { EditSeen, Lesson } from '../../../registration/by-use/lesson.ts'
import type { PassedCall } from '../../../registration/misses/passed-call.ts'
import type { Clock } from '../../../runtime/clock.ts'
import type { BodySeals } from '../../../runtime/sealed-bytes.ts'
import type { ProbeScheduler } from '../probes/scheduler.ts'
import type { Observed } from '../records/prefix-view.ts'
import type { RegistryStore } from '../tables/tables.ts'
import type { ChosenCaches } from './chosen-caches.ts'
import { sealedArrivals, withoutDifferences } from './sealed-drift.ts'

/** What a message of the queue of observations says of one account. `message`: its number. */
export interface ObservedMessage {
  message: string
  observed: { id: string; arrivals: Arrival[] }[]
  lessons?: Lesson[]
  /** Absent in messages of the version before. */
  edits?: EditSeen[]
  /** Calls to judge by the ones before them. */
  calls?: PassedCall[]
}

/** What those messages say that are among `fresh`: arrivals by prefix, lessons, and calls to judge. A message counts once, however often it is given. */
export function freshOf(
  given: readonly ObservedMessage[],
  fresh: readonly string[],
): { arrivals: { id: string; arrivals: Arrival[] }[]; lessons: Lesson[]; edits: EditSeen[]; calls: PassedCall[] } {
  const left = new Set(fresh)
  const arrivals = new Map<string, Arrival[]>()
  const lessons: Lesson[] = []
  const edits: EditSeen[] = []
  const calls: PassedCall[] = []
  for (const { message, observed, lessons: taught = [], edits: edited = [], calls: passed = [] } of given) {
    if (!left.delete(message)) continue
    lessons.push(...taught)
    edits.push(...edited)
    calls.push(...passed)
    for (const { id, arrivals: more } of observed) {
      const all = arrivals.get(id)
      if (all === undefined) arrivals.set(id, [...more])
      else all.push(...more)
    }
  }
  return { arrivals: [...arrivals].map(([id, all]) => ({ id, arrivals: all })), lessons, edits, calls }
}

/** What books requests for their prefixes. */
export interface Booking {
  clock: Clock
  store: RegistryStore
  scheduler: ProbeScheduler
  chosen: ChosenCaches
  seals: BodySeals
  wakeBarrier: (k: number) => void
}

/** Books what real requests used. Returns, in order, whether each prefix is registered, at the provider that is given. `isReadable`: bodies can be opened. */
export function bookArrivals(
  { clock, store, scheduler, chosen, seals, wakeBarrier }: Booking,
  observed: readonly Observed[],
  isReadable: boolean,
): boolean[] {
  const now = clock.now()
  return observed.map(({ id, arrivals, provider }) => {
    const k = store.prefixes.keyOf('id', id)
    const before = k === null ? null : store.states.load(k)
    if (k === null) return false
    if (provider !== undefined && store.prefixes.record(k)?.provider !== provider) return false
    const kept = isReadable ? sealedArrivals(arrivals, k, seals) : withoutDifferences(arrivals)
    if (!scheduler.observe(k, chosen.withHandles(k, kept, now), now)) return false
    if (before !== null) chosen.observed(k, before, arrivals, isReadable, now)
    wakeBarrier(k)
    return true
  })
}
