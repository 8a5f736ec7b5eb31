import * as z from 'zod'
import { cache } from './cache.ts'
import { headers } from './headers.ts'
import { neutralSettings } from './neutral-settings.ts'
import { keepWarm, plan, advice, planName, keepWarmAnswer } from './keep-warm.ts'
import { rawJson } from './raw-json.ts'
import { lifetime } from './lifetime.ts'
import { label, region } from './scalars.ts'
import { at, usd } from './values.ts'
import { receiptAnswer, primitive } from './receipt.ts'
import { failureAnswer } from './failure-answer.ts'
import { warmth, endsAt, firstDifference, markedBody, probeAnswer } from './prefix.ts'

export const model = z
  .string()
  .min(1, { error: 'must not be empty' })
  .max(200, { error: 'must be at most 200 characters' })
  .regex(/^[\x21-\x7e]+$/, { error: 'must be a model id' })

const tool = z.strictObject({
  name: z.string().min(1).max(200),
  description: z.string().optional(),
  parameters: rawJson('JSON schema of the parameters; its bytes are kept.').optional(),
})

const message = z.strictObject({
  role: z.enum(['user', 'assistant'], { error: 'must be "user" or "assistant"' }),
  content: z.string({ error: 'must be a string; give other content in the native form' }),
})

/** Members of the neutral form beside `model`. */
export const neutralMembers = {
  system: z.string().optional(),
  tools: z.array(tool).max(2048, { error: 'must be at most 2048 tools' }).optional(),
  messages: z.array(message).max(10_000, { error: 'must be at most 10000 messages' }).optional(),
}

const toolNames = z.array(z.string().min(1).max(200), { error: 'must be a list of tool names' }).max(2048)

/** Selects the tools that are sent: those in `allow` (all if absent), except those in `deny`. */
const toolFilter = z.strictObject({ allow: toolNames.optional(), deny: toolNames.optional() }).meta({
  description:
    'Selects the tools to send: those in `allow` (absent: all) that are not in `deny`. The order of `tools` stays.',
})

export type ToolFilter = z.output<typeof toolFilter>

export const allowUnpriced = z.boolean({ error: 'must be true or false' }).meta({
  description:
    'Whether a call may be sent though no price is known for the model. Absent: only one that its caller waits for. false: none. Plans never send such calls.',
})

/** What a body wishes to happen with the findings of lint. */
export const lintWish = z.enum(['off', 'advice', 'error'], { error: 'must be "off", "advice" or "error"' }).meta({
  description:
    'What happens with lint findings: `advice` lists them, `error` refuses the request, `off` looks for none. Absent: they are listed, and secrets refused. The setting of the account may be stricter.',
})

/** Body of `POST /warm`: the native form (`request`) or the neutral one (`system`, `tools`, `messages`). */
export const warmBody = z.strictObject({
  name: label.optional().meta({ description: 'A label. A new body with the same name becomes a new version.' }),
  provider: z
    .string()
    .min(1)
    .max(64)
    .optional()
    .meta({ description: 'A provider id; see GET /providers. Must be absent if `gateway` names a pool.' }),
  request: rawJson(
    "The provider's own request body. Its bytes are kept, including members that Pilotlight does not know; `vars` and `tool_filter` apply to it.",
  ).optional(),
  model: model.optional(),
  base_model: model.optional().meta({
    description:
      'Which model it is, where its name does not say so: a deployment, or an inference profile of your own.',
  }),
  ...neutralMembers,
  vars: z
    .record(z.string(), z.unknown(), { error: 'must be an object' })
    .optional()
    .meta({ description: 'Values for the templates in the system prompt: every name that they use, and no others.' }),
  tool_filter: toolFilter.optional(),
  ...neutralSettings,
  gateway: z
    .string({ error: 'must be the name of a pool' })
    .min(1)
    .max(64)
    .optional()
    .meta({ description: 'A pool of models, which sets provider, model and credential; see PUT /gateways/{name}.' }),
  model_preference: z
    .string({ error: 'must be the name of a model of the pool' })
    .min(1)
    .max(64)
    .optional()
    .meta({ description: 'Model of the pool that traffic tries first.' }),
  gateway_models: z.enum(['first', 'all'], { error: 'must be "first" or "all"' }).optional().meta({
    description:
      '`first`: warms the model that traffic reaches now. `all`: warms every model that traffic may fall back to.',
  }),
  cache: cache.optional(),
  headers: headers.optional(),
  keep_warm: keepWarm.optional(),
  lifetime: lifetime.optional(),
  background: z.boolean({ error: 'must be true or false' }).optional(),
  max_output_tokens: z.int({ error: 'must be a whole number from 0 to 4096' }).min(0).max(4096).optional(),
  credential: z
    .string()
    .max(64)
    .optional()
    .meta({ description: 'Name of a credential of this account; absent: the Worker secret of the provider.' }),
  region: region.optional(),
  lint: lintWish.optional(),
  dry_run: z.boolean({ error: 'must be true or false' }).optional(),
  allow_unpriced: allowUnpriced.optional(),
})

export type WarmBody = z.output<typeof warmBody>

export const warmAgainBody = z.strictObject({
  background: z.boolean({ error: 'must be true or false' }).optional(),
  allow_unpriced: allowUnpriced.optional(),
})

/** A plan to replay on the recorded traffic of a prefix. Members that it does not name keep their stored values. */
export const previewBody = z.strictObject({ keep_warm: keepWarm })

export const prefixChange = z.strictObject({
  name: label.nullable().optional(),
  keep_warm: keepWarm.optional(),
})

export const jobAnswer = z.strictObject({
  id: z.string(),
  prefix_id: z.string(),
  status: z.enum(['queued', 'running', 'succeeded', 'failed']),
  created_at: at,
  finished_at: at.nullable(),
  receipt: receiptAnswer.nullable(),
  failure: failureAnswer.nullable(),
  fallback_job: z
    .string()
    .optional()
    .meta({ description: "Job of the pool's next model, which was warmed because this one failed." }),
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
  handle: z.string().nullable().optional().meta({
    description: 'With `cache.handle`: the handle to send now. It may be another than the given one.',
  }),
  request: z.record(z.string(), z.unknown()).optional().meta({
    description: 'With `cache.handle`: how real requests refer to it.',
  }),
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
  managed_cache: z
    .strictObject({
      chosen: z.enum(['own', 'managed']).meta({ description: "The provider's own cache, or a managed one." }),
      own_usd_per_hour: usd.meta({
        description: 'Expected cost of an hour of the traffic seen, with probes and misses.',
      }),
      managed_usd_per_hour: usd.meta({
        description: 'The same with creation, storage and requests without the handle.',
      }),
      creation_usd: usd,
      storage_usd_per_hour: usd,
      why: z.string(),
    })
    .optional()
    .meta({ description: 'What the planner would choose now; absent: the caller leaves nothing open.' }),
  keep_warm: keepWarmAnswer,
  estimated_tokens: z.int(),
  prefix_ends_at: endsAt,
  primitives: z.array(primitive),
  advice,
})

export const renderAnswer = z.strictObject({
  provider: z.string(),
  model: z.string(),
  fingerprint: z.string(),
  body: z.string().meta({ description: 'The exact text of the prefix, in the form of the provider.' }),
  marked_body: markedBody,
  sha256: z.string(),
  prefix_ends_at: endsAt,
  estimated_tokens: z.int(),
  minimum_tokens: z.int().nullable(),
  retention: z.string(),
  probe: probeAnswer.nullable().meta({ description: 'The request that a warm would send.' }),
  advice,
})

const nearest = z.strictObject({
  prefix_id: z.string(),
  name: z.string().nullable(),
  shared_tokens: z.number().meta({ description: 'Estimated tokens that both begin with.' }),
  first_difference: firstDifference.nullable(),
})

export const observedAnswer = z.strictObject({
  prefix_id: z.string().nullable(),
  matched: z.boolean(),
  reason: z
    .enum(['no_such_content', 'other_key', 'other_model', 'other_provider', 'drifted'])
    .optional()
    .meta({ description: 'Why the request belongs to no registered prefix, where its body was given.' }),
  nearest: nearest.optional(),
  error: failureAnswer.optional(),
  advice: advice.optional().meta({
    description:
      'What is missing in the usage object, or keeps the request from reading the entry that it begins with.',
  }),
})
