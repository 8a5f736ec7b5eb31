/**
 * A parameter of a body that a provider compares, with its canonical text. It belongs to each prefix that ends in section `before` (an index
 * of `sections`) or behind it.
 */
export interface Setting {
  name: string
  text: string
  before: number
}

/** What a provider compares of a body beside its blocks. */
export interface Compared {
  model: string
  cacheKey: string | null
  settings: readonly Setting[]
  /** What it says of the server that answers, as text; empty: nothing. It keeps no prefixes apart. Absent: no member of this provider says it. */
  routing?: string
  /** The retention that a member at its top states for what is written; absent: none, and the markers of its blocks decide. */
  retention?: string
  /** Absent: a request needs no marker to read. */
  reads?: MarkerReads
}

/** How a request reads where entries are found from its markers. */
export interface MarkerReads {
  /** Blocks that a lookup goes back from a marker. */
  lookback: number
  /** True: a member at the top marks the last block. */
  marksEnd: boolean
}
