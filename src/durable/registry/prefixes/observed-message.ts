import type { Arrival } from '../../../core/events/arrived.ts'
import type { EditSeen, Lesson } from '../../../registration/by-use/lesson.ts'
import type { PassedCall } from '../../../registration/misses/passed-call.ts'

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
