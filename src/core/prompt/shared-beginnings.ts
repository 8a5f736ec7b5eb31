import { commonLength } from './first-difference.ts'

/** Texts that begin alike. `length`: UTF-16 units that all of them begin with. */
export interface SharedBeginning {
  /** Indexes of the texts, in ascending order. */
  members: number[]
  length: number
}

/**
 * Groups of texts that begin alike, so that together they save the most: a beginning that n texts share is written once instead of n
 * times. `worthOf`: worth of the first `length` units of the text at `index`, which does not fall with the length; 0: too little to share.
 * A text in no group shares nothing of worth.
 */
export function sharedBeginnings(
  texts: readonly string[],
  worthOf: (index: number, length: number) => number,
): SharedBeginning[] {
  const order = [...texts.keys()].toSorted((a, b) => (texts[a]! < texts[b]! ? -1 : texts[a]! > texts[b]! ? 1 : a - b))
  // In this order, what a run of texts shares is the least of what neighbours share.
  const shared = order.slice(1).map((index, at) => commonLength(texts[order[at]!]!, texts[index]!))
  return bestOf(0, order.length).groups.toSorted((a, b) => a.members[0]! - b.members[0]!)

  function bestOf(from: number, until: number): { saved: number; groups: SharedBeginning[] } {
    if (until - from < 2) return { saved: 0, groups: [] }
    const length = Math.min(...shared.slice(from, until - 1))
    const together = (until - from - 1) * worthOf(order[from]!, length)
    const parts: { saved: number; groups: SharedBeginning[] }[] = []
    for (let at = from, begun = from; at < until; at++) {
      if (at < until - 1 && shared[at]! > length) continue
      parts.push(bestOf(begun, at + 1))
      begun = at + 1
    }
    const apart = parts.reduce((sum, { saved }) => sum + saved, 0)
    if (together > 0 && together >= apart) {
      const members = order.slice(from, until).toSorted((a, b) => a - b)
      return { saved: together, groups: [{ members, length }] }
    }
    return { saved: apart, groups: parts.flatMap(({ groups }) => groups) }
  }
}
