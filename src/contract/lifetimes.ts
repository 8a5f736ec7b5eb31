import * as z from 'zod'
import { at } from './values.ts'

const share = z.number().min(0).max(1)

const band = z.strictObject({
  from: z.string(),
  to: z.string().meta({ description: 'Time since the last use of an entry: longer than `from`, and at most this.' }),
  samples: z
    .number()
    .meta({ description: 'Requests that asked for an entry after such a time, the older ones counted in part.' }),
  readable: z.number().meta({ description: 'Those of them that read it.' }),
  share: share
    .nullable()
    .meta({ description: 'Share of entries that are still readable; null: no request came after such a time.' }),
  lower: share.meta({ description: 'Lower end of the 95 % interval of the share.' }),
  upper: share,
})

export const lifetimeAnswer = z.strictObject({
  provider: z.string(),
  model: z.string(),
  retention: z.string(),
  ttl: z.string().meta({ description: 'What the provider states, or what is assumed.' }),
  assumed: z.boolean(),
  tokens_from: z.int(),
  tokens_below: z.int().nullable().meta({ description: 'Size of the prefixes; null: no upper end.' }),
  own_samples: z.number().meta({ description: 'Requests about prefixes of this size.' }),
  samples: z.number().meta({ description: 'Requests behind the bands, with those that were taken in.' }),
  basis: z.enum(['size', 'neighbours', 'model', 'provider']).meta({
    description:
      'Whose requests the bands count: those of this size, of the sizes beside it too, of all sizes of the model, or of all models of the provider.',
  }),
  enough: z.boolean().meta({ description: 'false: too few for a plan to go by.' }),
  interval: z.string().nullable().meta({
    description: 'Time from the last use of such a prefix to its keep-alive; null: keep-alives do not renew it.',
  }),
  interval_by: z.enum(['retention', 'curve']),
  why: z.string(),
  last_at: at,
  bands: z.array(band),
})
