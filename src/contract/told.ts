import * as z from 'zod'

/** Most calls of one export. */
export const MOST_TOLD = 10_000

const count = z.int().min(0)

/** Why calls of an export do not count. */
export const NOT_TAKEN = [
  'not_a_model_call',
  'failed',
  'own_cache',
  'own_probe',
  'repeated',
  'duplicate',
  'no_usage',
  'no_model',
  'no_id',
  'too_old',
  'bad_time',
  'bad_count',
  'unreadable',
] as const

/** What is not known of calls that count. */
export const NOT_KNOWN = [
  'no_prefix',
  'no_such_prefix',
  'other_provider',
  'other_model',
  'no_cache_count',
  'impossible_usage',
] as const

const told = {
  taken: count.meta({ description: 'Calls that count.' }),
  matched: count.meta({ description: 'Of these, the ones that belong to a registered prefix.' }),
  not_taken: z.array(
    z.strictObject({
      reason: z.enum(NOT_TAKEN),
      count,
      field: z.string().optional().meta({ description: 'The field that is at fault.' }),
    }),
  ),
  not_known: z
    .array(z.strictObject({ reason: z.enum(NOT_KNOWN), count }))
    .meta({ description: 'What is not known of calls that count. One call may have several reasons.' }),
}

/** Answer of `POST /observations/litellm`. */
export const toldAnswer = z.strictObject(told)

/** Answer of `POST /v1/traces`. `partialSuccess` is that of OTLP: empty where no span was at fault. */
export const tracesAnswer = z.strictObject({
  ...told,
  partialSuccess: z.strictObject({ rejectedSpans: z.string().optional(), errorMessage: z.string().optional() }),
})

/** An export of traces. What it has beside these members is not read. */
export const tracesBody = z.looseObject({
  resourceSpans: z
    .array(z.looseObject({}), { error: 'must be an array of objects' })
    .optional()
    .meta({ description: 'ExportTraceServiceRequest of OTLP/JSON.' }),
})

/** One call or a list of calls as LiteLLM logs them: StandardLoggingPayload. */
export const litellmBody = z.union([z.array(z.unknown()), z.looseObject({})])
