import type { FailureValue } from '../../contract/failure.ts'
import { AT_ONCE } from '../../contract/preload.ts'
import type { Preload } from '../../contract/preload.ts'
import type { CrewStrategy } from '../../core/fan-out/crew.ts'
import type { CrewOrder } from '../../durable/registry/records/crew.ts'
import { groupCrew, withCommonPrefixMarked } from '../../providers/prefix/common-prefix.ts'
import type { CrewGroup } from '../../providers/prefix/common-prefix.ts'
import { newId } from '../../runtime/ids.ts'
import { registrationOf, reshaped } from '../../registration/prepare.ts'
import type { Preparation } from '../../registration/prepare.ts'
import { requirement } from '../warm/required.ts'

/** One agent of a request: prepared, refused, or without anything to warm. */
export type Admitted = { name: string | null } & (
  | { preparation: Preparation; unpriced?: true }
  | { failure: FailureValue }
  | { skipped: string }
)

/** The order for a crew: which agents share a head, and what is sent for it. */
export function orderOf(given: Omit<Preload, 'agents'>, admitted: readonly Admitted[]): CrewOrder {
  const strategy: CrewStrategy = given.strategy ?? 'shared_prefix'
  const places = admitted.flatMap((agent, index) => ('preparation' in agent ? [index] : []))
  const ready = places.map((index) => keptTogether((admitted[index] as { preparation: Preparation }).preparation))
  const crew = ready.map((preparation) => ({ ...preparation, scope: scopeOf(preparation) }))
  const groups = groupCrew(crew, given.min_shared_tokens)
  const groupOf = new Map(groups.flatMap(({ members }, group) => members.map((member) => [member, group] as const)))
  const isShared = strategy === 'shared_prefix'
  return {
    id: newId('job'),
    strategy,
    atOnce: given.max_parallel ?? AT_ONCE,
    groups: groups.map(({ members, common: head, why }) => {
      const { registration } = ready[members[0] ?? 0]!
      const { provider, model, credential, cacheKey, retention } = registration
      const shared =
        head === null ? null : { estimatedTokens: head.prefix.estimatedTokens, path: head.prefix.breakpoint.path }
      const named = { provider, model, credential, cacheKey, retention }
      return { ...named, members: members.map((member) => places[member] ?? 0), why, shared }
    }),
    heads: groups.map((group) => (isShared ? headOf(group, ready) : null)),
    agents: admitted.map((agent, index) => {
      const member = places.indexOf(index)
      const group = groupOf.get(member) ?? null
      const base = { name: agent.name, group, registration: null, required: null, failure: null, skipped: '' }
      if ('failure' in agent) return { ...base, failure: agent.failure }
      if ('skipped' in agent) return { ...base, skipped: agent.skipped }
      const head = isShared && group !== null ? (groups[group]?.common ?? null) : null
      const preparation = keptTogether(agent.preparation)
      const marked = head === null ? preparation.prefix : withCommonPrefixMarked(crew[member]!, head.place)
      const registration = registrationOf(reshaped(preparation, marked, headAdvice(preparation, marked, head)))
      const word = agent.unpriced === true ? { unpriced: true as const } : {}
      return { ...base, registration, required: requirement(preparation), ...word }
    }),
  }
}

/** Fixes the chosen retention: agents at different retentions would not renew their shared head for each other. */
function keptTogether(preparation: Preparation): Preparation {
  const { retentionOpen: _, ...registration } = preparation.registration
  return { ...preparation, registration }
}

/** Everything but the prompt that keeps two cache entries apart. */
function scopeOf({ registration }: Preparation): string {
  const { credential, credentialGeneration = 1, headers = {}, place = null } = registration
  return JSON.stringify([credential, credentialGeneration, Object.entries(headers).toSorted(), place])
}

/** The shared head as a prefix of its own. It has no plan, because the agents are kept warm themselves. */
function headOf({ members, common: head }: CrewGroup, ready: readonly Preparation[]) {
  const leader = ready[members[0] ?? 0]
  if (head === null || leader === undefined) return null
  const { registration, keepWarm } = leader
  // The breakpoints that the leader asked for end its own prefix, not the head.
  const { breakpoints: _, ...rest } = registration
  const alone: Preparation = {
    ...leader,
    registration: {
      ...rest,
      fingerprint: leader.fingerprintFor(head.prefix),
      name: null,
      required: null,
      keepWarm: { ...keepWarm, plan: 'off' },
    },
  }
  return registrationOf(reshaped(alone, head.prefix, head.prefix.advice))
}

function headAdvice(
  { registration, prefix }: Preparation,
  marked: Preparation['prefix'],
  head: CrewGroup['common'],
): Preparation['registration']['advice'] {
  if (head === null || marked.text === prefix.text) return registration.advice
  const at = head.prefix.breakpoint.path
  const message = `A cache marker was added at ${at}, the end of this crew's shared head. The agent's requests need the same marker to find it; GET /prefixes/{id}/request shows the body.`
  return [...registration.advice, { cause: 'shared_head_marked', message, at }]
}
