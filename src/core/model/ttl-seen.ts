/** Lifetimes of the entry, as calls carried them and answers show them. Stored names. */
export interface TtlSeen {
  requests?: CallTtl
  probes?: CallTtl
  /** The longest time without use after which a read found it, and the shortest after which it was gone; absent: none. */
  aliveMs?: number
  goneMs?: number
}

/** The lifetimes of the last such call at `at`. Absent: it asked for none, carried none, its usage says none. */
export interface CallTtl {
  at: number
  askedMs?: number
  sentMs?: number
  honouredMs?: number
}
