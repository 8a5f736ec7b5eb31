import type { Holding } from '../planning/probe-policy.ts'
import type { Traffic } from '../demand/traffic.ts'

/** Lower bound of the cost of any policy, in the unit of the holdings, above the cost of one read for each request. */
export interface OracleBound {
  cost: number
  /** Cold starts of the cheapest path, after the first request. Paths of the same cost may differ in them. */
  coldStarts: number
  probes: number
  probesCost: number
}

/**
 * The least cost of a policy that knows every arrival: an exact dynamic program over the retention in use. `cost` includes
 * `latencyValue` for each cold start, the first request too.
 */
export function oracle({ gaps }: Traffic, holdings: readonly Holding[], latencyValue: number): OracleBound {
  let paths: OracleBound[] = holdings.map(({ write, read }) => ({
    cost: write - read + latencyValue,
    coldStarts: 0,
    probes: 0,
    probesCost: 0,
  }))
  for (const { lengthMs } of gaps) {
    // A lapsed entry is written again at any retention: by the request, a cold start, or by a call just before it.
    const lapsed = least(paths.filter((_path, from) => lengthMs > (holdings[from]?.ttlMs ?? 0)))
    paths = holdings.map(({ ttlMs, everyMs, write, read, probe }, index) => {
      const path = paths[index]
      const need = Math.max(0, Math.ceil((lengthMs - ttlMs) / everyMs))
      const held = path === undefined ? null : spent(path, need * probe, need)
      const cold = lapsed === null ? null : coldStart(lapsed, lapsed.cost + write - read + latencyValue)
      const before = lapsed === null ? null : spent(lapsed, write, 1)
      return least([held, cold, before].filter((one) => one !== null)) ?? NOTHING
    })
  }
  return least(paths) ?? NOTHING
}

const NOTHING: OracleBound = { cost: 0, coldStarts: 0, probes: 0, probesCost: 0 }

function coldStart(path: OracleBound, cost: number): OracleBound {
  return { ...path, cost, coldStarts: path.coldStarts + 1 }
}

function spent(path: OracleBound, cost: number, probes: number): OracleBound {
  return { ...path, cost: path.cost + cost, probes: path.probes + probes, probesCost: path.probesCost + cost }
}

/** The first path of the least cost. */
function least(paths: readonly OracleBound[]): OracleBound | null {
  return paths.reduce<OracleBound | null>((best, path) => (best === null || path.cost < best.cost ? path : best), null)
}
