import { invalid, Failure } from '../../contract/failure.ts'
import type { WarmBody } from '../../contract/warm.ts'
import { NO_COUNTS } from '../../core/model/usage.ts'
import { storageNanos } from '../../core/model/storage-price.ts'
import { renewLeadMs } from '../../core/managed-cache/plan.ts'
import type { ManagedCacheKeep } from '../../core/managed-cache/state.ts'
import { planKind, probesAsked } from '../../core/planning/plan-kinds.ts'
import { DAY_MS, SECOND_MS } from '../../core/time/time.ts'
import type { Advice } from '../../core/model/advice.ts'
import type { ManagedCacheView } from '../../durable/registry/records/managed-cache.ts'
import type { Card } from '../../providers/card.ts'
import type { ManagedCacheDialect } from '../../providers/managed-cache/dialect.ts'
import { renderNeutral } from '../../providers/prefix/neutral.ts'
import { dialectOf } from '../../providers/registry.ts'
import { cacheOf, cardFor } from '../../registration/native.ts'
import { refuseMisplaced } from '../../registration/refuse.ts'
import { sha256 } from '../../runtime/ids.ts'
import { obtain } from '../caches/obtain.ts'
import { durationJson, iso, money, usageJson } from '../present/format.ts'
import { clockOf, registryOf } from '../server/context.ts'
import type { Call } from '../server/context.ts'
import { managedCacheNamed, refuseBackground, wantedHandle } from '../server/handle.ts'
import type { WantedHandle } from '../server/handle.ts'

/**
 * Warms of a handle. Its contents are kept by renewing the managed cache, not by probes: no model is called. Requests refer to the
 * handle and carry neither system nor tools.
 */

/** A body that refers to a handle, at a provider that has handles. */
export interface HandleBody {
  card: Card
  dialect: ManagedCacheDialect
  wanted: WantedHandle
}

/** The field of a handle that the provider's own request names. */
const IN_BODY = 'request.cachedContent'

/** Members that say how probes are sent or when: a handle has none. */
const WITHOUT_EFFECT = ['headers', 'max_output_tokens', 'base_model', 'lint'] as const
const KEEP_WITHOUT_EFFECT = [
  'windows',
  'max_usd_per_call',
  'latency_value_usd',
  'ttft_target_ms',
  'ttft_share',
  'holdout',
] as const

/**
 * Whether a body refers to a handle, by `cache` or as the provider's own request does. Null: it does not, or its provider has no
 * handles, where it is a prefix like others.
 */
export function handleBodyOf(body: WarmBody): HandleBody | null {
  if (body.provider === undefined || body.gateway !== undefined) return null
  const card = cardFor(body.provider, 'provider')
  const dialect = card.managedCaches
  if (dialect === undefined) return null
  const asked = wantedHandle(body.cache)
  const own = body.request === undefined ? null : dialect.references.handleIn(body.request.text)
  if (asked === null && own === null) return null
  if (asked !== null && own !== null && asked.name !== own)
    throw invalid(asked.at, 'differs from the handle in request')
  cacheOf(body.cache)
  return { card, dialect, wanted: asked ?? { name: own ?? '', at: IN_BODY } }
}

/** Renews the managed cache of a handle, or creates it again, and answers as a warm does. */
export async function warmHandle(c: Call, body: WarmBody, refers: HandleBody) {
  const { known, text } = await read(c, body, refers)
  const { id } = known.record
  const { plan = 'auto' } = body.keep_warm ?? {}
  const clock = clockOf(c)
  if (body.dry_run === true) return dryRunJson(known, refers, text, plan, clock.now(), adviceFor(body, refers, known))
  const keep = keepOf(body, clock.now())
  if (Object.keys(keep).length > 0 || body.name !== undefined) {
    await registryOf(c).changeHandle(id, { keep, ...(body.name === undefined ? {} : { name: body.name }) })
  }
  const startedAt = clock.now()
  const isOff = !planKind(plan).sends
  const wish = isOff ? { want: 'confirmed' as const, freshSinceAt: c.var.askedAt } : { want: 'renewed' as const }
  const { view } = await obtain(c, id, wish, 'thrown')
  const handle = view.state.live?.name ?? refers.wanted.name
  return {
    ...common(view),
    name: view.record.name,
    version: 1,
    warmth: warmthOf(view),
    receipt: receiptOf(known, view, startedAt, clock.now() - startedAt, isOff),
    plan: planOf(view, plan),
    advice: adviceFor(body, refers, view),
    handle,
    request: JSON.parse(refers.dialect.references.refer(text, handle)) as Record<string, unknown>,
  }
}

/** Shows how requests refer to a handle, and how Pilotlight renews it. Nothing is stored or sent. */
export async function renderHandle(c: Call, body: WarmBody, refers: HandleBody) {
  const { known, text } = await read(c, body, refers)
  const { record, state } = known
  const handle = state.live?.name ?? refers.wanted.name
  const referring = refers.dialect.references.refer(text, handle)
  const renewal = state.live === null ? null : refers.dialect.renew(handle, state.ttlMs)
  return {
    provider: record.provider,
    model: record.model,
    fingerprint: record.fingerprint,
    body: referring,
    marked_body: null,
    sha256: sha256(referring),
    prefix_ends_at: refers.dialect.references.breakpoint(referring),
    estimated_tokens: state.live?.tokens ?? record.estimatedTokens,
    minimum_tokens: null,
    retention: durationJson(state.ttlMs),
    probe:
      renewal === null
        ? null
        : { primitive: 'handle', method: renewal.method, path: renewal.path, headers: {}, body: renewal.body },
    advice: adviceFor(body, refers, known),
  }
}

/** The managed cache that a body names, and the request that refers to it. */
async function read(c: Call, body: WarmBody, { card, dialect, wanted }: HandleBody) {
  refuseMisplaced(body)
  for (const field of ['system', 'tools', 'vars', 'tool_filter'] as const) {
    if (body[field] === undefined) continue
    throw invalid(wanted.at, `cannot be combined with ${field}: the handle contains system and tools already`)
  }
  refuseBackground(body)
  if (probesAsked(body.keep_warm?.plan ?? 'auto') !== null) {
    const text = 'keep_warm.plan: a handle is renewed, not probed; use "auto", "always" or "off".'
    throw new Failure('unsupported', text, { field: 'keep_warm.plan' })
  }
  const own = body.request?.text
  const { refer } = dialect.references
  const at = wanted.at === IN_BODY ? undefined : wanted.at
  // A native body that has what the handle contains is refused before the handle is looked up, as in the neutral form.
  if (own !== undefined) refer(own, wanted.name, at)
  const { model, messages = [], credential, region } = body
  const known = await managedCacheNamed(c, card, wanted, { model, credential, region })
  if (own !== undefined) return { known, text: own }
  const { text } = renderNeutral(dialectOf(card), { model: known.record.model, messages })
  refer(text, wanted.name, at)
  return { known, text }
}

/** What a plan says about how long to keep the managed cache. */
function keepOf({ keep_warm: given }: WarmBody, now: number): Partial<ManagedCacheKeep> {
  if (given === undefined) return {}
  const { plan = 'auto', until, idle_timeout: idle, budget_usd_per_day: budget } = given
  if (until != null && until <= now) throw invalid('keep_warm.until', 'must not be in the past')
  const idleMs = idle ?? (planKind(plan).revives || idle === null ? null : undefined)
  return {
    ...(until === undefined ? {} : { untilAt: until }),
    ...(idleMs === undefined ? {} : { idleMs }),
    ...(budget === undefined ? {} : { budgetNanosPerDay: budget }),
  }
}

function common({ record }: ManagedCacheView) {
  return { id: record.id, fingerprint: record.fingerprint, created: false }
}

function warmthOf({ state, now }: ManagedCacheView) {
  const { live } = state
  const isAlive = live !== null && live.expiresAt > now
  const p = isAlive ? 1 : 0
  return {
    state: isAlive ? ('warm' as const) : ('cold' as const),
    p_warm: p,
    interval: [p, p],
    warm_until: iso(isAlive ? live.expiresAt : null),
    why: isAlive ? 'the provider has it until then, unless somebody deletes it' : state.why,
    assumed: false,
  }
}

function planOf({ record, state }: ManagedCacheView, plan: 'auto' | 'always' | 'off' | { probes: number }) {
  const { stopped } = state
  return {
    plan: planKind(plan).stopsAtBreakEven && record.keep.idleMs === null ? ('always' as const) : plan,
    retention: durationJson(state.ttlMs),
    retention_seconds: state.ttlMs / SECOND_MS,
    next_probe_at: iso(state.nextAt),
    stopped:
      stopped === null
        ? null
        : { reason: stopped.reason, at: iso(stopped.at), why: stopped.why, needs_somebody: stopped.reason !== 'ended' },
    why: state.why,
    assumed: false,
  }
}

function receiptOf(
  before: ManagedCacheView,
  { record, state }: ManagedCacheView,
  at: number,
  latencyMs: number,
  isOff: boolean,
) {
  const isNew = state.creations > before.state.creations
  const cost = isNew ? state.creationNanos - before.state.creationNanos : 0
  const done = isOff ? 'the provider confirmed the handle' : 'the provider renewed the handle'
  return {
    at: iso(at),
    kind: isNew ? ('written' as const) : ('full' as const),
    purpose: isNew ? ('write' as const) : ('keep' as const),
    primitive: 'handle' as const,
    usage: usageJson(NO_COUNTS),
    provider_usage: null,
    cost_usd: isNew && state.unpriced ? null : money(cost),
    latency_ms: latencyMs,
    model: record.model,
    why: isNew ? 'the handle had lapsed, and its contents were created again' : `${done}; no model was called`,
    provider_response: null,
  }
}

function adviceFor(body: WarmBody, { wanted }: HandleBody, { record, state, now }: ManagedCacheView): Advice[] {
  const advice: Advice[] = []
  const current = state.live !== null && state.live.expiresAt > now ? state.live.name : null
  if (current === null) {
    const message = 'The handle has lapsed. A warm creates its contents again, under another handle.'
    advice.push({ cause: 'handle_lapsed', message, at: wanted.at })
  } else if (wanted.name !== current && wanted.name !== record.id) {
    const message = `The handle has lapsed. Its contents have the handle ${current} now: requests must refer to it.`
    advice.push({ cause: 'handle_replaced', message, at: wanted.at })
  }
  const retention = typeof body.cache === 'object' ? body.cache.retention : undefined
  const key = typeof body.cache === 'object' ? body.cache.key : undefined
  const unused = [
    ...(retention === undefined ? [] : ['cache.retention']),
    ...(key === undefined ? [] : ['cache.key']),
    ...WITHOUT_EFFECT.filter((field) => body[field] !== undefined),
    ...KEEP_WITHOUT_EFFECT.filter((field) => body.keep_warm?.[field] !== undefined).map(
      (field) => `keep_warm.${field}`,
    ),
  ]
  for (const at of unused) {
    const message = 'This has no effect on a handle, which is renewed as its managed cache says (PATCH /caches/{id}).'
    advice.push({ cause: 'no_effect_on_handles', message, at })
  }
  return advice
}

function dryRunJson(
  view: ManagedCacheView,
  { dialect, wanted }: HandleBody,
  text: string,
  plan: 'auto' | 'always' | 'off' | { probes: number },
  now: number,
  advice: Advice[],
) {
  const { record, state } = view
  const tokens = state.live?.tokens ?? record.estimatedTokens
  const perDay = storageNanos(tokens, now, now + DAY_MS, dialect.storageRates(record.model))
  const renewals = DAY_MS / (state.ttlMs - renewLeadMs(state.ttlMs))
  const isOff = !planKind(plan).sends
  return {
    ...common(view),
    dry_run: true,
    provider: record.provider,
    model: record.model,
    warmth: warmthOf(view),
    receipt: null,
    plan: {
      plan,
      retention: durationJson(state.ttlMs),
      next_probe_at: null,
      why: 'Dry run: nothing was stored or sent. A handle is renewed; no model is called.',
      assumed: false,
      first_write_cost_usd: 0,
      probe_cost_usd: 0,
      probes_per_day: isOff ? 0 : renewals,
      cost_usd_per_day: isOff ? 0 : money(perDay),
      how: `storage of ${tokens} tokens for a day; renewals cost nothing`,
    },
    keep_warm: {
      plan,
      until: iso(record.keep.untilAt),
      idle_timeout: record.keep.idleMs === null ? null : durationJson(record.keep.idleMs),
      windows: [],
      budget_usd_per_day: money(record.keep.budgetNanosPerDay),
      max_usd_per_call: null,
      latency_value_usd: 0,
      ttft_target_ms: null,
      ttft_share: null,
      holdout: 0,
    },
    estimated_tokens: tokens,
    prefix_ends_at: dialect.references.breakpoint(dialect.references.refer(text, state.live?.name ?? wanted.name)),
    primitives: ['handle' as const],
    advice,
  }
}
