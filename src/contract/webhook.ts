import * as z from 'zod'
import { alarmAnswer, alarmKind } from './alarm.ts'
import { isPrivate } from './host.ts'
import { at } from './values.ts'

/** Body of `PUT /accounts/{id}/webhook`. No message of this schema repeats a value, since such URLs are often secrets. */
export const newWebhook = z.strictObject({
  url: z
    .string({ error: 'must be a URL' })
    .max(2_000)
    .meta({ description: 'URL that receives messages: https, on a public host. Redirects are not followed.' }),
  rotate_secret: z
    .boolean({ error: 'must be true or false' })
    .optional()
    .meta({ description: 'Creates a new signing secret. The previous one also signs for another 24 hours.' }),
})

/** Reason why no message may be posted to a URL; null when one may. `open`: development, which allows local receivers. */
export function webhookProblem(text: string, open: boolean): string | null {
  if (!URL.canParse(text)) return 'must be a URL'
  const url = new URL(text)
  if (url.protocol !== 'https:' && !(open && url.protocol === 'http:')) return 'must begin with https://'
  if (url.username !== '' || url.password !== '' || url.hash !== '') return 'must contain no user and no fragment'
  return !open && isPrivate(url.hostname) ? 'must not be a private, loopback or link-local address' : null
}

const shape = {
  url: z.string(),
  created_at: at,
  secret_created_at: at,
  sealed_with: z.enum(['current', 'previous', 'unknown']).meta({
    description: 'Key-encryption secret that seals the signing secret; unknown: it cannot be opened.',
  }),
  waiting: z.int().meta({ description: 'Messages that wait for delivery.' }),
  undeliverable: z.int().meta({ description: 'Messages whose delivery was given up; PUT sends them again.' }),
  delivered: z.int().meta({ description: 'Messages delivered since the webhook was created.' }),
  last_delivered_at: at.nullable(),
  last_failure: z
    .strictObject({ at, why: z.string() })
    .nullable()
    .meta({ description: 'Failure of the last attempt; null if it succeeded.' }),
}

export const webhookAnswer = z.strictObject(shape)

export const newWebhookAnswer = z.strictObject({
  ...shape,
  secret: z.string().optional().meta({ description: 'Shown only in the answer that created it.' }),
})

export const webhookTestAnswer = z.strictObject({
  id: z.string(),
  delivered: z.boolean(),
  status: z.int().nullable().meta({ description: 'Status that the endpoint answered; null: it did not answer.' }),
  why: z.string().nullable().meta({ description: 'Why the message counts as not delivered.' }),
})

/** Body of a webhook message, as it is signed and posted. */
export const webhookMessage = z.strictObject({
  type: z.enum(['plans.stopped', 'prefix.alarm', 'webhook.test']),
  kind: z
    .enum(['stopped', ...alarmKind.options])
    .optional()
    .meta({ description: 'What it is about; absent in a test.' }),
  timestamp: at,
  data: z.strictObject({
    account: z.string(),
    count: z.int().meta({ description: 'Plans that stopped, or alarms; `stops` or `alarms` names the first twenty.' }),
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
    alarms: z
      .array(
        z.strictObject({
          prefix_id: z.string(),
          name: z.string().nullable(),
          provider: z.string(),
          model: z.string(),
          ...alarmAnswer.shape,
        }),
      )
      .optional()
      .meta({ description: 'Alarms, all of one kind; absent where plans stopped.' }),
  }),
})
