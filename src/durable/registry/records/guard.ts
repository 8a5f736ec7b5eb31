/** How a guard looks from outside. */
export interface GuardView {
  provider: string
  open: boolean
  openings: number
  /** The least share of a limit that was left, as the last answers said; null when none was scarce. */
  remainingShare: number | null
}
