import type { Operations, World } from './world.ts'

/** Result of a world, as its provider counts it. */
export interface Figures {
  lapses: number
  /** Calls that the provider accepted, first writes included. */
  accepted: number
  /** Fewest calls that keep all prefixes warm: Σ ⌊(horizon − first write) ÷ retention⌋, without a lead. */
  fewest: number
  ratio: number
  operations: Operations
}

export function figuresOf(world: World): Figures {
  const { provider, kinds, now } = world
  let accepted = 0
  let fewest = 0
  // An entry that expired without a later request is a lapse too.
  let lapses = provider.lapses.length
  kinds.forEach(({ ttlMs }, prefix) => {
    const firstWriteAt = provider.firstWriteAt[prefix] as number
    accepted += provider.accepted[prefix] as number
    if (firstWriteAt === 0 || !provider.isWarm(prefix, now - 1)) lapses += 1
    if (firstWriteAt > 0) fewest += Math.floor((now - firstWriteAt) / ttlMs)
  })
  return { lapses, accepted, fewest, ratio: accepted / fewest, operations: world.operations }
}
