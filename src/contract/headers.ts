import * as z from 'zod'

const LONGEST_VALUE = 1_000

/** Headers of the caller's own requests. The provider's card lists the names that it accepts. */
export const headers = z
  .record(
    z.string().regex(/^[A-Za-z0-9-]{1,64}$/, { error: 'must have valid header names' }),
    z
      .string({ error: 'must be a string' })
      .max(LONGEST_VALUE, { error: `must be at most ${LONGEST_VALUE} characters` })
      .regex(/^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/, {
        error: 'must consist of printable characters, without spaces at either end',
      }),
    { error: 'must be an object of header names and values' },
  )
  .meta({
    description:
      'Headers of real requests that decide what is cached; probes carry them too. Only those that the card of the provider names (caller_headers of GET /providers).',
  })
