import * as z from 'zod'
import { isPrivate } from './host.ts'
import { at } from './values.ts'

/** Body of `PUT /accounts/{id}/webhook`. No message of this schema repeats a value, since such URLs are often secrets. */
export const newWebhook = z.strictObject({
  url: z
    .string({ error: 'must be a URL' })
    .max(2_000)
    .meta({ description: 'Where messages are posted: https, a public host. Redirects are not followed.' }),
  rotate_secret: z
    .boolean({ error: 'must be true or false' })
    .optional()
    .meta({ description: 'Draws a new signing secret; the one before signs too for another 24 hours.' }),
})

/** Reason why no message may be posted to a URL; null when one may. `open`: development, which allows local receivers. */
export function webhookProblem(text: string, open: boolean): string | null {
  if (!URL.canParse(text)) return 'must be a URL'
  const url = new URL(text)
  if (url.protocol !== 'https:' && !(open && url.protocol === 'http:')) return 'must begin with https://'
  if (url.username !== '' || url.password !== '' || url.hash !== '') return 'must hold neither a user nor a fragment'
  return !open && isPrivate(url.hostname) ? 'must not be a private, loopback or link-local address' : null
}

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

/** Body of a webhook message, as it is signed and posted. */
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
