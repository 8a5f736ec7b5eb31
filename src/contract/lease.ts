import * as z from 'zod'
import { duration, wait as waiting } from './scalars.ts'

export const LONGEST_WAIT_MS = 60_000
export const WAIT_MS = 10_000
export const LEAD_MS = 20_000
export const LONGEST_LEAD_MS = 600_000

/** Body of `POST /prefixes/{id}/lease`: a request for the barrier, or a leader's report. */
export const leaseBody = z
  .strictObject({
    wait: waiting.optional().meta({
      description:
        'How long to wait until the prefix can be read: at most 60 s, "0s" for not at all; 10 s when absent.',
    }),
    lead_for: duration.optional().meta({
      description: 'How long callers wait for a leader before another leads: 1 s to 10 min; 20 s when absent.',
    }),
    lease: z
      .string({ error: 'must be a lease that an answer with role leader contained' })
      .regex(/^lse_[0-9a-f]{24}$/, { error: 'must be a lease that an answer with role leader contained' })
      .optional(),
    outcome: z.enum(['readable', 'failed'], { error: 'must be "readable" or "failed"' }).optional().meta({
      description: 'With `lease`: `readable` once the leader’s answer has begun, `failed` if its request failed.',
    }),
  })
  .superRefine(({ lease, outcome, wait, lead_for }, context) => {
    const refuse = (path: string, message: string): void => context.addIssue({ code: 'custom', path: [path], message })
    if (lease !== undefined && outcome === undefined) refuse('outcome', 'is required with lease')
    if (lease === undefined && outcome !== undefined) refuse('lease', 'is required with outcome')
    if (wait !== undefined && wait > LONGEST_WAIT_MS) refuse('wait', 'must be at most 60 s')
    if (lead_for !== undefined && (lead_for < 1_000 || lead_for > LONGEST_LEAD_MS))
      refuse('lead_for', 'must be from 1 s to 10 min')
  })
