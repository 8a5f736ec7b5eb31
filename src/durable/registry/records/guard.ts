/** State of the circuit breaker and the rate limits of one provider and credential. */
export interface GuardView {
  provider: string
  open: boolean
  openings: number
  /** The smallest remaining share of a rate limit, 0 to 1, from the last answers. Null: no limit was scarce. */
  remainingShare: number | null
}
