import * as z from 'zod'
import { FAILURES } from './failure.ts'

/** Failures in answers of the API. */

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

export const failureAnswer = z.strictObject({
  kind: z.enum(kinds),
  message: z.string(),
  retryable: z.boolean(),
  detail: detail.optional(),
})
