import * as z from 'zod'
import { at } from './values.ts'

const shape = {
  url: z.string(),
  created_at: at,
  secret_created_at: at,
  sealed_with: z.enum(['current', 'previous', 'unknown']).meta({
    description: 'Which key-encryption secret the signing secret is sealed under; unknown: it cannot be opened.',
  }),
  waiting: z.int().meta({ description: 'Messages that are still to be delivered.' }),
  undeliverable: z.int().meta({ description: 'Messages that were given up; PUT tries them again.' }),
  delivered: z.int().meta({ description: 'Messages that were delivered, since the webhook was made.' }),
  last_delivered_at: at.nullable(),
  last_failure: z
    .strictObject({ at, why: z.string() })
    .nullable()
    .meta({ description: 'Of the last try, while it failed; null once one succeeded.' }),
}

export const webhookAnswer = z.strictObject(shape)

export const newWebhookAnswer = z.strictObject({
  ...shape,
  secret: z.string().optional().meta({ description: 'Shown when it is drawn, and never again.' }),
})

export const webhookTestAnswer = z.strictObject({
  id: z.string(),
  delivered: z.boolean(),
  status: z.int().nullable().meta({ description: 'What the endpoint answered; null: it did not.' }),
  why: z.string().nullable().meta({ description: 'Why it counts as not delivered.' }),
})

/** The body of a message: what is posted, and signed. */
export const webhookMessage = z.strictObject({
  type: z.enum(['plans.stopped', 'webhook.test']),
  timestamp: at,
  data: z.strictObject({
    account: z.string(),
    count: z.int().meta({ description: 'Plans that stopped; `stops` names the first fifty.' }),
    stops: z.array(
      z.strictObject({
        prefix_id: z.string(),
        name: z.string().nullable(),
        provider: z.string(),
        model: z.string(),
        reason: z.string(),
        why: z.string(),
        at,
      }),
    ),
  }),
})
