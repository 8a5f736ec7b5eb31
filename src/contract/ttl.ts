import * as z from 'zod'

const duration = z.string().nullable().meta({ description: 'A duration such as `5m`; null: not known, or none.' })

const both = z.strictObject({ requests: duration, probes: duration })

export const ttl = z
  .strictObject({
    asked: both.meta({
      description:
        'What callers asked for: by x-pilotlight-cache or a marker of their body, and for our own calls at registration.',
    }),
    sent: both.meta({ description: 'What the bodies carried to the provider at the end of the prefix.' }),
    honoured: both.meta({ description: 'What the usage of their answers says was written.' }),
    observed: z.strictObject({
      alive_after: duration.meta({ description: 'The longest time without use after which a read found the entry.' }),
      gone_after: duration.meta({ description: 'The shortest time without use after which it was gone.' }),
    }),
    why: z.string(),
  })
  .meta({
    description:
      'Lifetimes of the entry: asked, sent, honoured and observed, by real requests and by our own calls. `observed` begins anew where another lifetime is sent or honoured.',
  })
