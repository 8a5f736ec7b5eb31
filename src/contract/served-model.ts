import * as z from 'zod'
import { at } from './values.ts'

const served = z
  .strictObject({
    model: z.string().meta({ description: 'The model that answered, as its last answer named it.' }),
    since: at,
    last_at: at,
    answers: z.int().meta({ description: 'Its answers since then.' }),
  })
  .nullable()

export const servedModel = z
  .strictObject({
    requests: served.meta({
      description: 'Of real requests through the gateway. null: none that names another model.',
    }),
    probes: served.meta({ description: 'Of our own calls.' }),
  })
  .nullable()
  .meta({ description: 'Another model than was asked for has answered; null: no answer says so.' })
