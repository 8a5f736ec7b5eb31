import { belief } from '../../core/cache/belief.ts'
import { learnedRetention } from '../../core/cache/retention.ts'
import { firstRetentionWhy } from '../../core/planning/retention-choice.ts'
import { newState } from '../../core/prefix/state.ts'
import type { Call } from '../server/context.ts'
import { clockOf, registryOf } from '../server/context.ts'
import { dryRunCost } from './dry-run-cost.ts'
import { markerAdvice } from '../../registration/marker-advice.ts'
import { retentionAdvice } from '../present/retention-advice.ts'
import type { Preparation } from '../../registration/prepare.ts'
import { comparisonJson } from '../present/cache-use.ts'
import { keepWarmJson, warmthJson } from '../present/prefix.ts'
import { dayOf } from '../../core/time/time.ts'
import { isCounted } from '../../providers/tokens/count.ts'
import { leftToday } from '../server/credential.ts'
import { factsModelOf, retentionInForce, sizeOf } from '../../registration/record.ts'

/** What a warm would do and cost. Nothing is stored and nothing is sent. */
export async function dryRun(c: Call, preparation: Preparation) {
  const now = clockOf(c).now()
  const { prefix, facts, registration } = preparation
  const { fingerprint } = registration
  const known = await registryOf(c).findByFingerprint(fingerprint)
  // A known prefix stays at its own retention.
  const retention = known === null ? prefix.retention : retentionInForce(known.record, known.state)
  const offer = facts.retentions.find((one) => one.name === retention)
  const fresh = newState(now, dayOf(now), offer === undefined ? null : learnedRetention(offer))
  const keepWarm = known !== null && registration.keepWarm === null ? known.record.keepWarm : preparation.keepWarm
  const context = {
    keepWarm,
    facts,
    ...(prefix.layout === undefined ? {} : { layout: prefix.layout }),
    ...sizeOf(known?.record ?? registration),
    outputFloor: registration.outputFloors[known?.state.primitiveIndex ?? 0] ?? registration.outputFloors.at(-1) ?? 0,
    killed: false,
    grainMs: 1_000,
    accountLeftNanos: null,
    random: 0,
  }
  const { why, advice, ...costs } = dryRunCost(
    {
      ...fresh,
      measuredTokens: known?.state.measuredTokens ?? null,
      ...(known?.state.countedTokens === undefined ? {} : { countedTokens: known.state.countedTokens }),
    },
    context,
    retention,
    now,
    isCounted(preparation.card, factsModelOf(registration)),
    {
      spentNanos: known !== null && known.state.day === dayOf(now) ? known.state.spentNanos : 0,
      leftNanos: await leftToday(c),
    },
  )
  const isOpen = registration.cacheOpen ?? known?.record.cacheOpen ?? false
  return {
    id: `pfx_0_${fingerprint.slice(0, 24)}`,
    fingerprint,
    created: known === null,
    dry_run: true,
    provider: registration.provider,
    model: registration.model,
    warmth: warmthJson(known?.belief ?? belief(fresh, now, 0)),
    receipt: null,
    plan: {
      plan: keepWarm.plan,
      retention,
      ...(prefix.layout === undefined ? {} : { retentions: prefix.layout }),
      next_probe_at: null,
      why: `Dry run: nothing was stored or sent.${known === null ? choiceSentence(preparation, now) : ''}${why}`,
      assumed: offer?.assumed ?? false,
      ...costs,
    },
    ...(isOpen ? comparisonJson(registration, known?.state ?? fresh, context, now) : {}),
    keep_warm: keepWarmJson(keepWarm),
    estimated_tokens: prefix.estimatedTokens,
    prefix_ends_at: prefix.breakpoint,
    primitives: registration.primitives,
    advice: [
      ...advice,
      ...retentionAdvice(known ?? { record: { ...registration, keepWarm }, state: fresh }, now, 1_000),
      ...markerAdvice(registration.advice, registration.retention, retention),
    ],
  }
}

/** Why the planner would choose this retention; empty: it does not choose. */
function choiceSentence({ facts, keepWarm, registration }: Preparation, now: number): string {
  if (registration.retentionOpen !== true) return ''
  const { outputFloors, retention, lifetime } = registration
  const told = lifetime === undefined ? {} : { lifetime }
  const context = { keepWarm, facts, ...sizeOf(registration), outputFloor: outputFloors[0] ?? 0, ...told }
  const why = firstRetentionWhy(context, retention, now)
  return why === null ? '' : ` It would be ${why}.`
}
