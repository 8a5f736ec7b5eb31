import * as z from 'zod'
import { isPrivate } from './host.ts'

/** The body of `PUT /accounts/{id}/webhook`. No message of this schema repeats a value: such URLs are often secrets. */
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

/** Why messages may not be posted to a URL; null when they may. `open`: development, where the receiver is near. */
export function webhookProblem(text: string, open: boolean): string | null {
  if (!URL.canParse(text)) return 'must be a URL'
  const url = new URL(text)
  if (url.protocol !== 'https:' && !(open && url.protocol === 'http:')) return 'must begin with https://'
  if (url.username !== '' || url.password !== '' || url.hash !== '') return 'must hold neither a user nor a fragment'
  return !open && isPrivate(url.hostname) ? 'must not be a private, loopback or link-local address' : null
}
