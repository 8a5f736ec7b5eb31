import * as z from 'zod'
import { headers } from './headers.ts'
import { rawJson } from './raw-json.ts'
import { instantOrMs } from './scalars.ts'
import { model } from './warm.ts'

/** The most requests between the two that are compared. */
export const MOST_BETWEEN = 200

const moment = z.union([instantOrMs, z.null()]).optional()

/** What is known of one request. Every member may be absent: what is not told is not guessed. */
export const sentRequest = z.object({
  request: rawJson("The provider's own request body. It is compared, and not stored.").optional(),
  headers: headers.optional(),
  model: model.optional(),
  usage: z.record(z.string(), z.unknown(), { error: "must be the provider's usage object" }).nullish(),
  started_at: moment,
  first_token_at: moment,
  status: z.int().min(100).max(599).nullish(),
  error: z.unknown().optional(),
  credential: z
    .string()
    .max(200)
    .nullish()
    .meta({ description: 'Any name of the credential: only whether two are the same counts.' }),
  response_id: z.string().max(300).nullish(),
  diagnostics: z.unknown().optional().meta({ description: "The provider's own diagnostics, as its answer has them." }),
})

export type SentRequest = z.output<typeof sentRequest>

/** Body of `POST /diagnose`. `before` and `after` may also be the provider's bodies alone. */
export const diagnoseBody = z.strictObject({
  provider: z.string().min(1).max(64).optional().meta({ description: 'Absent: the bodies show it.' }),
  before: rawJson('The earlier request: what is known of it, or its body alone.'),
  after: rawJson('The later request, the one that may have missed.'),
  between: z
    .array(rawJson('A request between the two.'), { error: 'must be an array of requests' })
    .max(MOST_BETWEEN, { error: `must be at most ${MOST_BETWEEN} requests` })
    .optional(),
})

export type DiagnoseBody = z.output<typeof diagnoseBody>

/** Body of `POST /prefixes/{id}/diagnose`. */
export const prefixDiagnoseBody = z.strictObject({
  ...sentRequest.shape,
  request: rawJson("The provider's own request body that missed. It is compared, and not stored."),
})

export type PrefixDiagnoseBody = z.output<typeof prefixDiagnoseBody>

const differenceAnswer = z.strictObject({
  path: z.string().meta({ description: 'Path in the body, such as `system[1].text`; empty: the body as a whole.' }),
  at: z.int().min(0).meta({ description: 'UTF-16 units from the beginning of the value at `path`.' }),
  before: z.string().meta({ description: 'An excerpt.' }),
  after: z.string(),
})

const share = z.number().min(0).max(1)

/** Answer of `POST /diagnose`. */
export const diagnosisAnswer = z.strictObject({
  verdict: z
    .string()
    .meta({ description: 'docs/misses.md lists them. `no_miss`: it read what it could. `unknown`: nothing decides.' }),
  group: z.enum(['content', 'order', 'parameters', 'placement', 'routing', 'timing', 'provider', 'accounting', 'none']),
  fault: z.enum(['yours', 'provider', 'nobody']),
  confidence: share.meta({ description: 'A verdict below 0.7 is a guess.' }),
  first_difference: differenceAnswer.nullable(),
  lost_tokens: z
    .number()
    .nullable()
    .meta({ description: 'Tokens that could have been read and were not; null: not known.' }),
  cost_usd: z
    .number()
    .nullable()
    .meta({ description: 'What that cost beyond a read; null: a price or a count is not known.' }),
  why: z.string(),
  fix: z.string().meta({ description: 'Empty where nothing is to be done.' }),
  witnesses: z.array(z.strictObject({ kind: z.enum(['bytes', 'usage', 'clock', 'provider']), says: z.string() })),
  others: z.array(z.strictObject({ verdict: z.string(), confidence: share })).meta({ description: 'What else fits.' }),
})
