import type { HistoryRow } from '../prefix/history.ts'
import { goneAfter, heldFor, retentionInWords } from '../cache/retention.ts'
import type { PrefixState } from '../prefix/state.ts'
import type { RetentionOffer } from '../model/facts.ts'
import { MINUTE_MS } from '../time/time.ts'

/** A read found the entry: it lives, it was renewed, and the retention held for that long. */
export function applyCacheRead(
  state: PrefixState,
  before: PrefixState,
  at: number,
  gapMs: number | null,
  tokens: number,
  offers: readonly RetentionOffer[],
): void {
  state.verdict = 'warm'
  state.everHit = true
  state.readZeroInRow = 0
  state.readZeroGapMs = null
  state.measuredTokens = before.measuredTokens ?? tokens
  if (state.retention !== null) {
    // A read-nothing answer that is followed by a read was a lapse after all, healed by its own write.
    if (before.readZeroGapMs !== null) state.retention = goneAfter(state.retention, before.readZeroGapMs, at, offers)
    else if (gapMs !== null) state.retention = heldFor(state.retention, gapMs, at)
  }
  state.anchorAt = state.retention?.kind === 'fixed' ? before.anchorAt : Math.max(before.anchorAt ?? 0, at)
}

/** The row that says so, where receipts made a retention shorter or longer than it was believed to be. */
export function retentionRows(before: PrefixState, after: PrefixState, at: number): HistoryRow[] {
  const [was, is] = [before.retention, after.retention]
  if (was === null || is === null || is.assumed) return []
  if (was.name !== is.name) {
    const why = `real requests write it at ${is.name} and not at ${was.name}: their marker decides, and the plan goes by it from now on`
    return [{ at, type: 'decision', decision: 'retention', why }]
  }
  if (was.ttlMs === is.ttlMs) return []
  const why =
    is.grantedName !== was.grantedName
      ? `asked for ${is.name}, the answer says that ${is.grantedName ?? is.name} was written: it is believed to live ${is.ttlMs / MINUTE_MS} min`
      : is.ttlMs < was.ttlMs
        ? `entries were gone before their time, twice in a row: scheduled by ${retentionInWords(is)} from now on`
        : `entries lived longer than was believed: scheduled by ${retentionInWords(is)} from now on`
  return [{ at, type: 'decision', decision: 'retention', why }]
}
