import * as z from 'zod'
import { FAILURES } from './failures.ts'

/** What the API answers with, as documents and clients read it. Tests hold real answers against these. */

const at = z.iso.datetime().meta({ description: 'An instant, ISO 8601.' })
const tokens = z.int().nullable().meta({ description: 'Tokens; null: the provider did not report it.' })
const usd = z.number().nullable().meta({ description: 'US dollars; null: not known.' })
const kinds = Object.keys(FAILURES) as [keyof typeof FAILURES, ...(keyof typeof FAILURES)[]]
const detail = z.record(z.string(), z.unknown())

export const errorAnswer = z.strictObject({
  error: z.strictObject({
    kind: z.enum(kinds),
    message: z.string(),
    retryable: z.boolean(),
    request_id: z.string(),
    detail: detail.optional(),
  }),
})

const failureAnswer = z.strictObject({
  kind: z.enum(kinds),
  message: z.string(),
  retryable: z.boolean(),
  detail: detail.optional(),
})

const usage = z.strictObject({
  input_tokens: tokens,
  uncached_input_tokens: tokens,
  cached_input_tokens: tokens,
  cache_write_input_tokens: tokens,
  cache_write_by_retention: z.record(z.string(), z.int()),
  output_tokens: tokens,
  reasoning_tokens: tokens,
})

const receiptKind = z.enum(['written', 'full', 'partial', 'cold', 'uncacheable', 'unknown'])
const primitive = z.enum(['zero_output', 'prewarm', 'one_token', 'floor_tokens', 'handle'])
const purpose = z.enum(['write', 'keep', 'verify'])

export const receiptAnswer = z.strictObject({
  at,
  kind: receiptKind,
  purpose,
  primitive,
  usage,
  cost_usd: usd,
  latency_ms: z.number(),
  model: z.string().nullable(),
  why: z.string(),
  provider_response: z.unknown().optional(),
})

const warmth = z.strictObject({
  state: z.enum(['warm', 'expiring', 'cold', 'uncacheable', 'unknown']),
  p_warm: z.number(),
  interval: z.tuple([z.number(), z.number()]),
  warm_until: at.nullable(),
  why: z.string(),
  assumed: z.boolean(),
})

export const warmthAnswer = z.strictObject({
  id: z.string(),
  ...warmth.shape,
  last_receipt: receiptAnswer.nullable(),
})

const planName = z.union([z.enum(['auto', 'always', 'off']), z.strictObject({ probes: z.int() })])
const advice = z.array(z.strictObject({ cause: z.string(), message: z.string(), at: z.string().optional() }))

const plan = z.strictObject({
  plan: planName,
  retention: z.string(),
  retention_seconds: z.number().nullable(),
  next_probe_at: at.nullable(),
  stopped: z.strictObject({ reason: z.string(), at, why: z.string() }).nullable(),
  why: z.string(),
  assumed: z.boolean(),
})

const keepWarmAnswer = z.strictObject({
  plan: planName,
  until: at.nullable(),
  idle_timeout: z.string().nullable(),
  windows: z.array(z.strictObject({ days: z.string(), from: z.string(), to: z.string(), time_zone: z.string() })),
  budget_usd_per_day: z.number(),
  latency_value_usd: z.number(),
})

const endsAt = z.strictObject({ path: z.string(), byte: z.int() })

export const prefixAnswer = z.strictObject({
  id: z.string(),
  name: z.string().nullable(),
  version: z.int(),
  superseded: z.boolean(),
  provider: z.string(),
  model: z.string(),
  fingerprint: z.string(),
  created_at: at,
  warmth,
  plan,
  keep_warm: keepWarmAnswer,
  signal: z
    .strictObject({ kind: z.enum(['end', 'pending']), at, until: at.nullable() })
    .nullable()
    .meta({ description: 'What a caller said of the session; null: nothing that still holds.' }),
  announcements: z
    .array(z.strictObject({ at, expected_requests: z.int() }))
    .meta({ description: 'Announced traffic that is still to come, soonest first.' }),
  last_receipt: receiptAnswer.nullable(),
  last_failure: z.strictObject({ at, ...failureAnswer.shape }).nullable(),
  last_hit: z.strictObject({ at, cached_tokens: z.int(), ttft_ms: z.number().nullable() }).nullable(),
  hits: z.int(),
  misses: z.int(),
  probes: z.int(),
  cost_usd: usd.meta({ description: 'Null where no call has a known cost.' }),
  unpriced_calls: z.int().meta({ description: 'Calls whose cost is not known: they are not in the sum.' }),
  saved_usd: usd.meta({
    description: 'What keep-alives saved, take-backs taken off; null where no saving has a known price.',
  }),
  net_usd: usd.meta({ description: 'saved_usd less cost_usd.' }),
  savings: z.int().meta({ description: 'Real hits that only a keep-alive made possible.' }),
  unpriced_savings: z.int().meta({ description: 'Those of them whose price is not known: they are in no sum.' }),
  cost_today_usd: z.number(),
  estimated_tokens: z.int(),
  measured_tokens: z.int().nullable(),
  prefix_ends_at: endsAt,
  in_flight: z.boolean(),
  advice,
})

export const jobAnswer = z.strictObject({
  id: z.string(),
  prefix_id: z.string(),
  status: z.enum(['queued', 'running', 'succeeded', 'failed']),
  created_at: at,
  finished_at: at.nullable(),
  receipt: receiptAnswer.nullable(),
  failure: failureAnswer.nullable(),
})

export const warmAnswer = z.strictObject({
  id: z.string(),
  fingerprint: z.string(),
  created: z.boolean(),
  name: z.string().nullable(),
  version: z.int(),
  warmth,
  receipt: receiptAnswer.nullable(),
  plan,
  advice,
  job: jobAnswer.optional(),
})

export const dryRunAnswer = z.strictObject({
  id: z.string(),
  fingerprint: z.string(),
  created: z.boolean().meta({ description: 'Whether a warm would create a prefix.' }),
  dry_run: z.literal(true),
  provider: z.string(),
  model: z.string(),
  warmth,
  receipt: z.null(),
  plan: z.strictObject({
    plan: planName,
    retention: z.string(),
    next_probe_at: z.null(),
    why: z.string(),
    assumed: z.boolean(),
    first_write_cost_usd: usd,
    probe_cost_usd: usd,
    probes_per_day: z.number().nullable(),
    cost_usd_per_day: usd,
    how: z.string(),
  }),
  keep_warm: keepWarmAnswer,
  estimated_tokens: z.int(),
  prefix_ends_at: endsAt,
  primitives: z.array(primitive),
  advice,
})

export const historyAnswer = z.union([
  z.strictObject({
    at,
    type: z.literal('receipt'),
    kind: receiptKind,
    purpose,
    primitive,
    usage: usage.nullable(),
    cost_usd: usd,
    latency_ms: z.number(),
    model: z.string().nullable(),
    why: z.string(),
  }),
  z.strictObject({
    at,
    type: z.literal('arrival'),
    count: z.int(),
    hits: z.int(),
    misses: z.int(),
    cached_tokens: z.int(),
  }),
  z.strictObject({
    at,
    type: z.literal('saving'),
    kind: z.enum(['credited', 'revoked']),
    saved_usd: usd,
    why: z.string(),
  }),
  z.strictObject({ at, type: z.literal('decision'), decision: z.string(), reason: z.string(), why: z.string() }),
  z
    .strictObject({
      at,
      type: z.literal('rollup'),
      receipts: z.record(z.string(), z.int()),
      cost_usd: usd,
      unpriced_calls: z.int(),
      saved_usd: usd,
      savings: z.int(),
      unpriced_savings: z.int(),
      arrivals: z.int(),
      hits: z.int(),
      misses: z.int(),
      cached_tokens: z.int(),
      decisions: z.record(z.string(), z.int()),
    })
    .meta({ description: 'An hour older than a week.' }),
])

export const requestAnswer = z.strictObject({
  id: z.string(),
  provider: z.string(),
  model: z.string(),
  path: z.string().nullable().meta({ description: "Path below the provider's base URL." }),
  prefix_ends_at: endsAt,
  sha256: z.string(),
  body: z.string().meta({ description: 'The exact text that real requests must begin with.' }),
  request: z.record(z.string(), z.unknown()).meta({ description: 'The same text, inline.' }),
})

export const observedAnswer = z.strictObject({
  prefix_id: z.string().nullable(),
  matched: z.boolean(),
  error: failureAnswer.optional(),
})

export const healthAnswer = z.strictObject({
  status: z.enum(['ok', 'late', 'not_configured']),
  now: at,
  clock_rate: z.number(),
  last_sweep_at: at.nullable(),
  oldest_overdue_ms: z.number(),
  queue_backlog: z.int().nullable(),
  development: z.boolean(),
  version: z.string(),
})

const fact = z.strictObject({
  says: z.string().nullable().meta({ description: 'Null: nobody says, and nothing is guessed.' }),
  source: z.string(),
  checked: z.string(),
})

const rates = {
  input: z.number(),
  cached_input: z.number(),
  cache_write: z.record(z.string(), z.number()),
  output: z.number(),
}

const modelAnswer = z.strictObject({
  models: z.array(z.string()),
  minimum_tokens: z.int().nullable(),
  writes_reported: z.boolean(),
  primitives: z.array(primitive),
  retentions: z.array(z.strictObject({ name: z.string(), kind: z.string(), ttl: z.string(), assumed: z.boolean() })),
  price_usd_per_million_tokens: z
    .strictObject({
      ...rates,
      over: z
        .strictObject({ tokens: z.int(), ...rates })
        .nullable()
        .meta({ description: 'The rates of a whole request whose prompt is longer.' }),
      peak: z
        .strictObject({ hours_utc: z.array(z.strictObject({ from: z.number(), until: z.number() })), ...rates })
        .nullable()
        .meta({ description: 'The rates in these hours of the day, UTC, from Monday to Friday.' }),
      from: z.string(),
      source: z.string(),
      checked: z.string(),
    })
    .nullable(),
  source: z.string(),
  checked: z.string(),
})

const override = z.strictObject({
  base_url: z.string().optional(),
  models: z
    .array(
      z.strictObject({
        models: z.array(z.string()),
        minimum_tokens: z.int().nullable().optional(),
        retentions: z
          .array(z.strictObject({ name: z.string(), ttl: z.string(), kind: z.string(), assumed: z.boolean() }))
          .optional(),
        prices: z
          .array(
            z.strictObject({
              input: z.number(),
              cached_input: z.number(),
              cache_write: z.record(z.string(), z.number()),
              output: z.number(),
              from: z.string(),
              source: z.string(),
            }),
          )
          .optional(),
      }),
    )
    .optional(),
})

export const overrideAnswer = z.strictObject({
  version: z.int(),
  at,
  request_id: z.string().meta({ description: 'Which call of the administrator made it.' }),
  override: override.nullable().meta({ description: 'null: the card alone.' }),
})

export const providerAnswer = z.strictObject({
  id: z.string(),
  name: z.string(),
  dialect: z.string(),
  base_url: z
    .string()
    .meta({ description: '{NAME} stands for a variable of this deployment, whose value is not shown.' }),
  supports_handles: z.boolean(),
  refusal: z.string().nullable().meta({ description: 'Why nothing is warmed here; null: it can be.' }),
  variables: z.array(z.string()).meta({ description: 'Variables that the address is made of.' }),
  facts: z.record(z.string(), fact),
  credential: z.strictObject({
    secret: z.string(),
    configured: z.boolean(),
    allowed: z.boolean(),
    lab: z.boolean(),
  }),
  models: z.array(modelAnswer),
  override: override.nullable().meta({ description: 'What the administrator says over the card.' }),
  source: z.string(),
  checked: z.string(),
})

export const accountAnswer = z.strictObject({
  id: z.string(),
  created_at: at,
  budget_usd_per_day: usd,
  allowed_secrets: z.array(z.string()),
  kill_switch: z.boolean(),
  global_kill_switch: z.boolean(),
})

export const accountWithUse = z.strictObject({
  ...accountAnswer.shape,
  prefixes: z.int(),
  stored_bytes: z.int(),
  today: z.strictObject({ calls: z.int(), cost_usd: z.number() }),
})

export const keyAnswer = z.strictObject({
  id: z.string(),
  created_at: at,
  expires_at: at.nullable(),
  revoked_at: at.nullable(),
})

export const newKeyAnswer = z.strictObject({
  ...keyAnswer.shape,
  key: z.string().meta({ description: 'Shown here and never again.' }),
})

export const credentialAnswer = z.strictObject({
  name: z.string(),
  provider: z.string(),
  host: z.string().meta({ description: 'The only host that it is sent to.' }),
  generation: z.int().meta({ description: 'Rises with each secret of this name; prefixes of another one stop.' }),
  created_at: at,
  sealed_with: z
    .enum(['current', 'previous', 'unknown'])
    .meta({ description: 'Which key-encryption secret it is sealed under; unknown: it cannot be opened.' }),
})

const ledgerSums = {
  calls: z.int(),
  cost_usd: z.number(),
  unpriced_calls: z.int(),
  saved_usd: z.number(),
  net_usd: z.number().meta({ description: 'saved_usd less cost_usd.' }),
  savings: z.int(),
  unpriced_savings: z.int(),
}
const ledgerDay = {
  ...ledgerSums,
  credited_usd: z.number(),
  revoked_usd: z.number().meta({ description: 'Of what was credited, what late reports took back.' }),
  hits: z.int(),
  misses: z.int(),
}

export const ledgerAnswer = z.strictObject({
  from: z.string(),
  to: z.string(),
  group: z.enum(['entry', 'day', 'prefix']),
  totals: z.strictObject(ledgerDay).meta({ description: 'Of all days from `from` to `to`, whatever the page shows.' }),
  data: z.array(
    z.union([
      z.strictObject({ day: z.string(), ...ledgerDay }),
      z.strictObject({ prefix_id: z.string(), name: z.string().nullable(), ...ledgerSums }),
      z.strictObject({
        type: z.literal('call'),
        prefix_id: z.string(),
        at,
        kind: receiptKind,
        purpose,
        cost_usd: usd,
        why: z.string(),
      }),
      z.strictObject({
        type: z.literal('saving'),
        prefix_id: z.string(),
        at,
        kind: z.enum(['credited', 'revoked']),
        saved_usd: usd,
        why: z.string(),
      }),
      z.strictObject({
        type: z.literal('cache'),
        cache_id: z.string(),
        at,
        event: z.string(),
        cost_usd: usd,
        why: z.string(),
      }),
    ]),
  ),
  next_cursor: z.string().nullable(),
})

export const deletedAnswer = z.strictObject({ id: z.string(), deleted: z.literal(true) })
export const revokedAnswer = z.strictObject({ id: z.string(), revoked: z.literal(true) })
export const killSwitchAnswer = z.strictObject({ on: z.boolean(), accounts: z.int(), failed: z.int() })

export function listOf<Item extends z.ZodType>(item: Item) {
  return z.strictObject({ data: z.array(item), next_cursor: z.string().nullable() })
}

const replayed = z.strictObject({
  probes: z.int(),
  cold_starts: z.int(),
  probes_usd: usd,
  rewrites_usd: usd,
  total_usd: usd,
})

export const previewAnswer = z.strictObject({
  id: z.string(),
  keep_warm: keepWarmAnswer,
  gaps: z.int(),
  from: at.nullable(),
  to: at,
  retentions: z.array(
    z.strictObject({
      retention: z.string(),
      registered: z.boolean().meta({ description: 'Whether the registered body writes at this one.' }),
      plan: replayed,
      nothing: replayed,
      saved_usd: usd,
    }),
  ),
  how: z.string(),
})
