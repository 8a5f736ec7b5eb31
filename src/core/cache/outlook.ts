import type { WarmthState } from './belief.ts'
import type { PrefixState } from '../prefix/state.ts'
import { warmUntil } from '../prefix/state.ts'

/** What of a state decides which beliefs it allows, at any instant. It is small, so that those of a whole account fit into memory. */
export interface Outlook {
  verdict: PrefixState['verdict']
  /** When its evidence ends (epoch ms); null: it has none. */
  warmUntil: number | null
  hasRetention: boolean
  /** The planner keeps it in a managed cache, whose life is another. */
  isManaged: boolean
  isStopped: boolean
}

export function outlookOf(state: PrefixState): Outlook {
  return {
    verdict: state.verdict,
    warmUntil: warmUntil(state),
    hasRetention: state.retention !== null,
    isManaged: state.managed?.cache != null,
    isStopped: state.stopped !== null,
  }
}

/** Whether the belief at `now` can be `wanted`. False is certain; true is to be checked against the whole state. */
export function mayBe(
  { verdict, warmUntil: until, hasRetention, isManaged }: Outlook,
  wanted: string,
  now: number,
): boolean {
  if (isManaged) return true
  return possible(verdict, until, hasRetention, now).includes(wanted as WarmthState)
}

function possible(
  verdict: PrefixState['verdict'],
  until: number | null,
  hasRetention: boolean,
  now: number,
): readonly WarmthState[] {
  if (verdict === 'uncacheable') return ['uncacheable']
  if (verdict === 'none' || !hasRetention) return ['unknown']
  if (verdict === 'cold' || until === null) return ['cold']
  if (verdict === 'unknown') return ['unknown']
  return now < until ? ['warm', 'expiring', 'unknown'] : ['cold']
}
