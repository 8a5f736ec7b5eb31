import type { Arrival } from '../../core/events/arrived.ts'

/** Names of retentions, and the places of the ends at which a body carries them. */
export type PackedRetentions = Record<string, number[]>

interface Carries {
  /** See `SeenEnd`. */
  sent?: string | null
}

/** Which retentions a call carries, by the places of its ends in the hashes of its group. */
export function packedRetentions(ends: readonly Carries[], places: readonly number[]): { ttls?: PackedRetentions } {
  const ttls: Record<string, number[]> = {}
  ends.forEach(({ sent }, index) => {
    if (typeof sent === 'string') (ttls[sent] ??= []).push(places[index] ?? 0)
  })
  return ends.some(({ sent }) => sent !== undefined) ? { ttls } : {}
}

/** What a packed call carries at the end that has this place. */
export function unpackedRetention(ttls: PackedRetentions | undefined, place: number): Carries {
  if (ttls === undefined) return {}
  return { sent: Object.keys(ttls).find((name) => ttls[name]?.includes(place) === true) ?? null }
}

/** The retentions of a call, for the prefix that ends at one of its ends. A marker of its own body asks for what it carries. */
export function retentionsAt(end: Carries | undefined, asked: string | undefined): Pick<Arrival, 'asked' | 'sent'> {
  const { sent } = end ?? {}
  const wished = asked ?? sent ?? undefined
  return { ...(wished === undefined ? {} : { asked: wished }), ...(sent === undefined ? {} : { sent }) }
}
