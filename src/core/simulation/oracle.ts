import type { Holding } from '../planning/probe-policy.ts'
import type { Traffic } from '../demand/traffic.ts'

/** The bound: what nobody can pay less than. Money in the unit of the holdings, above the floor where each request is a read. */
export interface OracleBound {
  cost: number
  /** Of the cheapest way, those after the first request. Ways that cost the same may differ in it. */
  coldStarts: number
  probes: number
  probesCost: number
}

/**
 * The least that anybody could pay who knows every arrival: an exact dynamic program over the retention held. `cost` holds
 * `latencyValue` for each cold start, the first one too.
 */
export function oracle({ gaps }: Traffic, holdings: readonly Holding[], latencyValue: number): OracleBound {
  let ways: OracleBound[] = holdings.map(({ write, read }) => ({
    cost: write - read + latencyValue,
    coldStarts: 0,
    probes: 0,
    probesCost: 0,
  }))
  for (const { lengthMs } of gaps) {
    // What lapsed is written anew in any retention: at the request, as a cold start, or just before it, as a write and a read.
    const lapsed = least(ways.filter((_way, from) => lengthMs > (holdings[from]?.ttlMs ?? 0)))
    ways = holdings.map(({ ttlMs, everyMs, write, read, probe }, index) => {
      const way = ways[index]
      const need = Math.max(0, Math.ceil((lengthMs - ttlMs) / everyMs))
      const held = way === undefined ? null : spent(way, need * probe, need)
      const asked = lapsed === null ? null : { ...lapsed, cost: lapsed.cost + write - read + latencyValue }
      const before = lapsed === null ? null : spent(lapsed, write, 1)
      const cold = asked === null ? null : { ...asked, coldStarts: asked.coldStarts + 1 }
      return least([held, cold, before].filter((one) => one !== null)) ?? NOTHING
    })
  }
  return least(ways) ?? NOTHING
}

const NOTHING: OracleBound = { cost: 0, coldStarts: 0, probes: 0, probesCost: 0 }

function spent(way: OracleBound, cost: number, probes: number): OracleBound {
  return { ...way, cost: way.cost + cost, probes: way.probes + probes, probesCost: way.probesCost + cost }
}

/** The first of the cheapest. */
function least(ways: readonly OracleBound[]): OracleBound | null {
  return ways.reduce<OracleBound | null>((best, way) => (best === null || way.cost < best.cost ? way : best), null)
}
