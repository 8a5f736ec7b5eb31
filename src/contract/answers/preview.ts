import * as z from 'zod'
import { keepWarmAnswer } from './plan.ts'
import { at, usd } from './values.ts'

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
