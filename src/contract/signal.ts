import * as z from 'zod'
import { instant } from './scalars.ts'

/** Body of `POST /prefixes/{id}/signals`. */
export const signalBody = z.strictObject({
  kind: z
    .enum(['end', 'pending'], { error: 'must be "end" or "pending"' })
    .meta({ description: '`end`: the session is over. `pending`: work is running, and a request will follow.' }),
  until: instant.optional().meta({
    description: 'For `pending`: latest end of the work, at most 24 hours ahead; one hour ahead when absent.',
  }),
})

/** Query of `DELETE /prefixes/{id}/announce`. */
export const withdrawQuery = z.strictObject({
  at: instant.optional().meta({ description: 'The announced instant; absent: all announcements.' }),
})

/** Body of `POST /prefixes/{id}/announce`. */
export const announceBody = z.strictObject({
  at: instant.meta({ description: 'When the traffic starts: in the future, at most 31 days ahead.' }),
  expected_requests: z
    .int({ error: 'must be a whole number from 1 to 1000000' })
    .min(1)
    .max(1_000_000)
    .optional()
    .meta({ description: 'How many requests are expected; 1 when absent.' }),
})
