import * as z from 'zod'
import { primitive, receiptAnswer } from './receipt.ts'
import { at, usd } from './values.ts'
import { edits } from './edits.ts'
import { alarmAnswer } from './alarm.ts'
import { lifetime } from './lifetime.ts'
import { servedModel } from './served-model.ts'
import { ttl } from './ttl.ts'
import { failureAnswer } from './failure-answer.ts'
import { advice, keepWarmAnswer, plan } from './keep-warm.ts'

export const warmth = z.strictObject({
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
  next_request: z
    .strictObject({
      tokens: z.int().meta({ description: 'Tokens of the prefix.' }),
      tokens_counted: z.boolean().meta({ description: 'false: estimated from its bytes.' }),
      cost_usd: usd.meta({ description: 'Expected, by `p_warm`.' }),
      interval_usd: z.tuple([usd, usd]).meta({ description: 'The same at both ends of `interval`.' }),
      if_warm_usd: usd,
      if_cold_usd: usd,
      rewrite_usd: usd.meta({
        description:
          'What it is expected to cost more to change the prefix before that request. Near 0: it is cold, and a change is free.',
      }),
    })
    .nullable()
    .meta({
      description: 'What the prefix costs in the next request. null: its price is not known.',
    }),
  last_receipt: receiptAnswer.nullable(),
})

export const endsAt = z.strictObject({ path: z.string(), byte: z.int() })

/** Where a request and a registered prefix part. */
export const firstDifference = z.strictObject({
  path: z.string(),
  at: z.number().meta({ description: 'UTF-16 units from the beginning of the value at path.' }),
  registered: z.string().max(40),
  sent: z.string().max(40),
})

const drift = z
  .strictObject({
    since: at,
    requests: z.int().meta({ description: 'Real requests since then that do not begin with what is registered.' }),
    why: z.string(),
    first_difference: firstDifference.optional(),
  })
  .nullable()
  .meta({ description: 'Real requests no longer begin with what is registered; null: nothing shows that.' })

/** Time to the first token with the entry warm, or cold. */
const firstToken = z
  .strictObject({ median_ms: z.int(), count: z.int(), from: z.enum(['requests', 'probes']) })
  .nullable()
  .meta({
    description:
      'Of the latest real requests with `ttft_ms`, or of our own calls before three of them; null: not measured.',
  })

export const prefixAnswer = z.strictObject({
  id: z.string(),
  name: z.string().nullable(),
  version: z.int(),
  superseded: z.boolean().meta({ description: 'Whether a newer body has the name now.' }),
  superseded_at: at.nullable().meta({ description: 'When the newer body was registered.' }),
  newer_warm_at: at.nullable().meta({
    description: 'When the newer version became warm. Until then the plan of this one continues.',
  }),
  provider: z.string(),
  model: z.string(),
  credential: z.string().meta({ description: 'Name of the credential that probes use; its secret is never shown.' }),
  region: z
    .string()
    .optional()
    .meta({ description: 'Region or location of its calls; absent: that of the deployment.' }),
  required: z.boolean().meta({
    description: 'Whether a caller registered it with cache.mode "required". Each call for it is then checked.',
  }),
  fingerprint: z.string(),
  created_at: at,
  warmth,
  plan,
  keep_warm: keepWarmAnswer,
  lifetime: lifetime.optional(),
  signal: z
    .strictObject({
      kind: z.enum(['end', 'pending']),
      at,
      until: at.nullable(),
      child: z
        .literal(true)
        .optional()
        .meta({ description: 'An agent waits for a child agent, as its calls say; absent: a caller said it.' }),
    })
    .nullable()
    .meta({ description: 'Last signal about the session; null: none that is still valid.' }),
  announcements: z
    .array(z.strictObject({ at, expected_requests: z.int() }))
    .meta({ description: 'Announced traffic in the future, soonest first.' }),
  last_receipt: receiptAnswer.nullable(),
  last_failure: z.strictObject({ at, ...failureAnswer.shape }).nullable(),
  drift,
  ttl,
  served_model: servedModel,
  edits,
  alarms: z.array(alarmAnswer).meta({ description: 'Alarms that have not ended.' }),
  last_hit: z.strictObject({ at, cached_tokens: z.int(), ttft_ms: z.number().nullable() }).nullable(),
  ttft: z.strictObject({ warm: firstToken, cold: firstToken, within_target: z.number().nullable() }).meta({
    description: 'Measured times to the first token. within_target: share of the last 32 timed real requests.',
  }),
  hits: z.int(),
  misses: z.int(),
  probes: z.int(),
  cost_usd: usd.meta({ description: 'null if the cost of every call is unknown.' }),
  unpriced_calls: z.int().meta({ description: 'Calls whose cost is unknown. The sum does not include them.' }),
  saved_usd: usd.meta({
    description: 'Savings of keep-alives minus reversed savings; null if no saving has a known price.',
  }),
  net_usd: usd.meta({ description: 'saved_usd minus cost_usd.' }),
  savings: z.int().meta({ description: 'Real hits that only a keep-alive made possible.' }),
  unpriced_savings: z
    .int()
    .meta({ description: 'Those of these savings whose price is unknown. No sum includes them.' }),
  cost_today_usd: z.number(),
  estimated_tokens: z.int(),
  measured_tokens: z.int().nullable(),
  prefix_ends_at: endsAt,
  in_flight: z.boolean(),
  managed_cache: z
    .strictObject({
      in_use: z.boolean().meta({ description: 'Whether the planner keeps it in a managed cache now.' }),
      id: z.string().nullable().meta({ description: 'The managed cache, as in `GET /caches/{id}`.' }),
      handle: z.string().nullable().meta({ description: 'Its handle; null: there is none now.' }),
      expires_at: at.nullable(),
      tokens: z.int().nullable(),
      since: at.nullable().meta({ description: 'When this was chosen; null: nothing was chosen yet.' }),
      referred: z.int().meta({ description: 'Real requests since then that referred to the handle. Many count less.' }),
      others: z.int().meta({ description: 'Real requests since then that did not.' }),
      cost_usd: usd.meta({
        description: 'Creation and storage of that managed cache. `cost_usd` of the prefix has neither.',
      }),
      not_before: at.nullable().meta({ description: 'A managed cache is not chosen again before this instant.' }),
      why: z.string(),
    })
    .optional()
    .meta({ description: 'What the planner chose where the caller leaves it open; absent: nothing is open.' }),
  advice,
})

/** Request that warms a prefix. */
export const probeAnswer = z.strictObject({
  primitive,
  method: z.string(),
  path: z.string(),
  headers: z.record(z.string(), z.string()),
  body: z.string(),
})

export const markedBody = z.string().nullable().meta({
  description:
    'The same text with a marker at the end of the prefix and all markers at `retention`. Real requests must begin with it. null if `body` already has these markers, and for wire formats other than Anthropic Messages and Bedrock Converse.',
})

export const requestAnswer = z.strictObject({
  id: z.string(),
  provider: z.string(),
  model: z.string(),
  path: z.string().nullable().meta({ description: "Path below the provider's base URL." }),
  headers: z.record(z.string(), z.string()).meta({
    description:
      'Headers of probes apart from the credential: those of the provider, and those that the prefix was registered with.',
  }),
  retention: z
    .string()
    .meta({ description: 'Retention that probes write at now. Markers of real requests should name the same one.' }),
  probe: probeAnswer
    .nullable()
    .meta({ description: 'The request that a warm would send, with the markers that write and find the entry.' }),
  prefix_ends_at: endsAt,
  sha256: z.string().meta({ description: 'SHA-256 of the bytes of `body`.' }),
  advice,
  marked_body: markedBody,
  handle_body: z.string().nullable().optional().meta({
    description:
      'The body that real requests send while the planner keeps the prefix in a managed cache: it refers to the handle, and their own turns follow in `contents`. null: there is no handle, so they send `body`. Absent: the caller leaves nothing open.',
  }),
  body: z.string().meta({
    description:
      'The exact text that was registered. Real requests must begin with `marked_body`, or with this text if `marked_body` is null.',
  }),
  request: z.record(z.string(), z.unknown()).meta({ description: '`body`, inline.' }),
})

export const leaseAnswer = z.strictObject({
  prefix_id: z.string(),
  role: z.enum(['leader', 'ready', 'wait']).meta({
    description:
      '`leader`: send your request; it writes the prefix. `ready`: the prefix can be read. `wait`: neither happened within the wait time.',
  }),
  lease: z.string().nullable(),
  until: at.nullable(),
  why: z.string(),
})

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
      registered: z.boolean().meta({ description: 'Whether the registered body writes at this retention.' }),
      plan: replayed,
      nothing: replayed,
      saved_usd: usd,
    }),
  ),
  how: z.string(),
})
