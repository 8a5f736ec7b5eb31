import { Failure } from '../../contract/failure.ts'
import { checksFor } from '../../core/cache/required.ts'
import type { Asked } from '../../core/cache/required.ts'
import { factsOf } from '../../runtime/facts.ts'
import { registryOf } from '../server/context.ts'
import type { Call } from '../server/context.ts'
import type { Preparation } from '../../registration/prepare.ts'
import type { ReceivedView } from '../present/prefix.ts'
import type { Advice } from '../../core/model/advice.ts'
import { retentionInForce, factsModelOf } from '../../registration/record.ts'

/** What the answers of a required cache are judged by; null: it is not required. */
export function requirement({ facts, prefix, registration }: Preparation): Asked | null {
  if (registration.required !== true) return null
  const { retention, layout } = prefix
  return { retention, ...(layout && { layout }), writesReported: facts.writesReported, checksLeft: checksFor(facts) }
}

/** The same for a registered prefix. */
export function standingRequirement(
  { record, state }: Pick<ReceivedView, 'record' | 'state'>,
  now: number,
): Asked | null {
  if (record.required !== true) return null
  const facts = factsOf(record.provider, factsModelOf(record), now)
  return {
    retention: retentionInForce(record, state),
    ...(record.layout && { layout: record.layout }),
    writesReported: facts.writesReported,
    checksLeft: checksFor(facts),
  }
}

/**
 * Refuses a required cache whose content is registered at another retention, or with other breakpoints: it cannot be honoured.
 * Throws `conflict` before anything is sent. A caller who names no retention is judged by the registered one.
 */
export async function requireSameTerms(c: Call, preparation: Preparation): Promise<Asked | null> {
  const asked = requirement(preparation)
  const known = asked === null ? null : await registryOf(c).findByFingerprint(preparation.registration.fingerprint)
  if (asked === null || known === null) return asked
  const [kept] = keptAsItWas(known, preparation)
  if (kept === undefined) return { ...asked, retention: retentionInForce(known.record, known.state) }
  throw new Failure('conflict', `${kept.at}: ${kept.message}`, { field: kept.at, prefix_id: known.record.id })
}

/** Advice for a caller whose content is registered already, with another retention or other breakpoints: those stay. */
export function keptAsItWas(known: Pick<ReceivedView, 'record' | 'state'>, { registration }: Preparation): Kept[] {
  const { id, breakpoints } = known.record
  const retention = retentionInForce(known.record, known.state)
  const kept: Kept[] = []
  const again = (wanted: string): string => `to register it ${wanted}, send DELETE /prefixes/${id} first.`
  const terms = known.record.layout?.join(' and ') ?? retention
  const wanted = registration.layout?.join(' and ') ?? registration.retention
  if (registration.retentionOpen !== true && terms !== wanted) {
    const message = `This content is already registered at retention ${terms}, which stays; ${again(`at ${wanted}`)}`
    kept.push({ cause: 'retention_kept', message, at: 'cache.retention' })
  }
  if (registration.breakpoints !== undefined && registration.breakpoints !== breakpoints) {
    const which = breakpoints === undefined ? 'one breakpoint' : 'other breakpoints'
    const message = `This content is already registered with ${which}, which stays in force; ${again('with these')}`
    kept.push({ cause: 'breakpoints_kept', message, at: 'cache.strategy.explicit' })
  }
  return kept
}

type Kept = Advice & { at: string }
