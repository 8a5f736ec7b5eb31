import { belief } from '../core/belief.ts'
import type { KeepWarm } from '../core/plan.ts'
import { breakEvenProbes, readNanos, writeNanos } from '../core/price.ts'
import { learnedRetention } from '../core/retention.ts'
import { firstRetentionWhy } from '../core/retention-choice.ts'
import { leadMs } from '../core/pace.ts'
import { dayOf } from '../core/schedule.ts'
import { newState } from '../core/state.ts'
import type { ModelFacts } from '../core/types.ts'
import type { Window } from '../core/window.ts'
import { retentionInForce } from '../durable/records.ts'
import type { Call } from './context.ts'
import { clockOf, registryOf } from './context.ts'
import { retentionAdvice } from './retention-advice.ts'
import type { Preparation } from './preparation.ts'
import { keepWarmJson, money, warmthJson } from './present.ts'

const DAY_MS = 86_400_000
const WEEK_MINUTES = 7 * 24 * 60

/** What a warm would do and cost. Nothing is stored and nothing is sent. */
export async function dryRun(c: Call, preparation: Preparation) {
  const now = clockOf(c).now()
  const { prefix, fingerprint, facts, registration } = preparation
  const known = await registryOf(c).findByFingerprint(fingerprint)
  // One that is known stays at its own, whoever asks.
  const retention = known === null ? prefix.retention : retentionInForce(known.record, known.state)
  const offer = facts.retentions.find((one) => one.name === retention)
  const fresh = newState(now, dayOf(now), offer === undefined ? null : learnedRetention(offer))
  const keepWarm = known !== null && registration.keepWarm === null ? known.record.keepWarm : preparation.keepWarm
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
      next_probe_at: null,
      why: `A dry run: nothing was stored, and nothing was sent.${known === null ? choiceWords(preparation, now) : ''}`,
      assumed: offer?.assumed ?? false,
      ...costs(preparation, retention, keepWarm),
    },
    keep_warm: keepWarmJson(keepWarm),
    estimated_tokens: prefix.estimatedTokens,
    prefix_ends_at: prefix.breakpoint,
    primitives: registration.primitives,
    advice: [
      ...retentionAdvice(known ?? { record: { ...registration, keepWarm }, state: fresh }, now, 1_000),
      ...registration.advice,
    ],
  }
}

/** That the planner would choose the retention, and why, where it would. */
function choiceWords({ facts, keepWarm, registration }: Preparation, now: number): string {
  if (registration.retentionOpen !== true) return ''
  const { estimatedTokens, outputFloors, retention } = registration
  const context = { keepWarm, facts, estimatedTokens, outputFloor: outputFloors[0] ?? 0 }
  const why = firstRetentionWhy(context, retention, now)
  return why === null ? '' : ` It would be ${why}.`
}

/**
 * The price of a plan on the estimate of its tokens: the first write, one probe, and a day of probes without any real
 * request. Null where a price or a retention is not known; the budget is the most that a day can cost.
 */
function costs({ prefix, facts, registration }: Preparation, retention: string, keepWarm: KeepWarm) {
  const offer = facts.retentions.find((one) => one.name === retention)
  const { price } = facts
  const tokens = prefix.estimatedTokens
  const outputFloor = registration.outputFloors[0] ?? 0
  const write = price === null ? null : writeNanos(tokens, outputFloor, price, retention)
  const probe = price === null ? null : readNanos(tokens, outputFloor, price)
  const perDay = offer === undefined ? null : probesPerDay(keepWarm, facts, retention, tokens, outputFloor, offer.ttlMs)
  const day = probe === null || perDay === null ? null : Math.min(probe * perDay, keepWarm.budgetNanosPerDay)
  return {
    first_write_cost_usd: money(write),
    probe_cost_usd: money(probe),
    probes_per_day: perDay,
    cost_usd_per_day: money(day),
    how:
      day === null
        ? 'No price or no retention is known for this model, so that no cost is given; a plan that would spend refuses to guess.'
        : `${tokens} tokens estimated from the bytes; a day without any real request, which would take the place of probes; at most the budget of the day. The first write is paid once and is not in it.`,
  }
}

function probesPerDay(
  keepWarm: KeepWarm,
  facts: ModelFacts,
  retention: string,
  tokens: number,
  outputTokens: number,
  ttlMs: number,
): number {
  const { plan } = keepWarm
  if (plan === 'off') return 0
  const open = openShare(keepWarm.windows)
  const most = Math.floor((DAY_MS / (ttlMs - leadMs(ttlMs, 1_000))) * open)
  if (plan === 'always') return most
  const latencyNanos = keepWarm.latencyValueNanos ?? 0
  const limit = plan === 'auto' ? breakEven(facts, retention, tokens, outputTokens, latencyNanos) : plan.probes
  return Math.min(most, limit)
}

function breakEven(
  facts: ModelFacts,
  retention: string,
  tokens: number,
  outputTokens: number,
  latencyNanos: number,
): number {
  if (facts.price === null) return 0
  return breakEvenProbes(tokens, outputTokens, facts.price, retention, latencyNanos) ?? 0
}

/** The share of a week that lies inside some window, each taken in its own local time. */
function openShare(windows: readonly Window[]): number {
  if (windows.length === 0) return 1
  const open = new Uint8Array(WEEK_MINUTES)
  for (const { days, fromMinute, toMinute } of windows) {
    const length = toMinute <= fromMinute ? toMinute + 1440 - fromMinute : toMinute - fromMinute
    for (const day of days) {
      const start = (day - 1) * 1440 + fromMinute
      for (let minute = 0; minute < length; minute++) open[(start + minute) % WEEK_MINUTES] = 1
    }
  }
  return open.reduce((sum, one) => sum + one, 0) / WEEK_MINUTES
}
