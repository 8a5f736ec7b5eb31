import type { Operations, World } from './world.ts'

/** What a world came to, seen from the provider's side. */
export interface Figures {
  lapses: number
  /** Calls that the provider accepted, first writes included. */
  accepted: number
  /** Σ ⌊(horizon − first write) ÷ retention⌋: the fewest calls that could have done it, no lead subtracted. */
  fewest: number
  ratio: number
  operations: Operations
}

export function figuresOf(world: World): Figures {
  const { provider, kinds, now } = world
  let accepted = 0
  let fewest = 0
  // Whatever ended without anybody asking again is a lapse too.
  let lapses = provider.lapses.length
  kinds.forEach(({ ttlMs }, prefix) => {
    const firstWriteAt = provider.firstWriteAt[prefix] as number
    accepted += provider.accepted[prefix] as number
    if (firstWriteAt === 0 || !provider.isWarm(prefix, now - 1)) lapses += 1
    if (firstWriteAt > 0) fewest += Math.floor((now - firstWriteAt) / ttlMs)
  })
  return { lapses, accepted, fewest, ratio: accepted / fewest, operations: world.operations }
}
