import * as z from 'zod'
import { region } from './scalars.ts'

/** Name of an account's credential: safe in a path, and not `default`, which stands for the Worker secret. */
export const credentialName = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/, { error: 'must be 1 to 64 letters, digits, hyphens and underscores' })

/** Body of `PUT /accounts/{id}/credentials/{name}`. No message of this schema repeats a value, since a value may be a secret. */
export const newCredential = z.strictObject({
  provider: z.string({ error: 'must be a provider id' }).min(1).max(64),
  secret: z
    .string({ error: 'must be a string' })
    .regex(/^(?:[\x21-\x7e]{8,4096}|\{[\x20-\x7e\r\n\t]{2,8190}\}\s?)$/, {
      error: 'must be 8 to 4096 printable characters without spaces, or a service-account key file in JSON',
    })
    .meta({
      description:
        'Stored encrypted and never shown again. For `vertex`, an access token or the text of a service-account key file.',
    }),
  region: region.optional(),
  host: z
    .string({ error: 'must be a host name' })
    .max(255)
    .regex(/^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:\d{1,5})?$/, { error: 'must be a host name' })
    .transform((host) => host.toLowerCase())
    .optional()
    .meta({ description: "The only host that receives it; absent: the provider's own." }),
})
