import * as z from 'zod'
import { at, usd } from './values.ts'

export const missAnswer = z.strictObject({
  verdict: z.string().meta({ description: 'docs/misses.md lists them. `unknown`: the evidence does not decide.' }),
  name: z.string().nullable().optional().meta({ description: 'With `by=name`; null: calls without a label.' }),
  day: z.iso.date().optional().meta({ description: 'With `by=day`: the UTC day on which they began.' }),
  fault: z.enum(['yours', 'provider', 'nobody']),
  count: z.int(),
  lost_tokens: z.int().meta({ description: 'Tokens that could have been read and were not, of those that are known.' }),
  unmeasured: z.int().meta({ description: 'Misses of which that is not known.' }),
  cost_usd: usd.meta({ description: 'What they cost beyond a read; null: no price is known.' }),
  unpriced: z.int().meta({ description: 'Misses whose cost is not known. No sum includes them.' }),
  fix: z.string().meta({ description: 'Empty where nothing is to be done.' }),
  last: z.strictObject({
    at,
    prefix_id: z.string().nullable().meta({ description: 'The registered prefix that it began with; null: none.' }),
    first_difference: z
      .strictObject({ path: z.string() })
      .optional()
      .meta({ description: 'Where it differed from the call before; absent: not known, or nowhere.' }),
  }),
})
