import * as z from 'zod'
import { warmBody } from './warm.ts'

export const MOST_AGENTS = 64
/** As many as crews that warm in threads are used to; more at once would only meet the rate limit sooner. */
export const AT_ONCE = 4

const MANY = `must be from 1 to ${MOST_AGENTS} agents`

const members = {
  strategy: z
    .enum(['parallel', 'sequential', 'shared_prefix'], {
      error: 'must be "parallel", "sequential" or "shared_prefix"',
    })
    .optional()
    .meta({ description: '`shared_prefix` when absent: what agents share is written once, before they are released.' }),
  min_shared_tokens: z
    .int({ error: 'must be a whole number from 0 to 10000000' })
    .min(0)
    .max(10_000_000)
    .optional()
    .meta({ description: "Raises the model's own minimum for a shared head; it is never lowered." }),
  min_agents: z
    .int({ error: `must be a whole number from 1 to ${MOST_AGENTS}` })
    .min(1)
    .max(MOST_AGENTS)
    .optional()
    .meta({ description: 'Below so many agents nothing is sent; 2 when absent.' }),
  max_parallel: z
    .int({ error: `must be a whole number from 1 to ${MOST_AGENTS}` })
    .min(1)
    .max(MOST_AGENTS)
    .optional()
    .meta({ description: `Calls under way at once; ${AT_ONCE} when absent.` }),
  background: z.boolean({ error: 'must be true or false' }).optional(),
}

/** The body of `POST /preload`, as documents show it. */
export const preloadBody = z.strictObject({
  ...members,
  agents: z.array(warmBody).min(1, { error: MANY }).max(MOST_AGENTS, { error: MANY }),
})

/** The same as it is read first: what is wrong with one agent is that agent's failure, and no other's. */
export const preloadEnvelope = z.strictObject({
  ...members,
  agents: z
    .array(z.unknown(), { error: 'must be a list of agents, each as the body of POST /warm' })
    .max(MOST_AGENTS, { error: MANY }),
})

export type Preload = z.output<typeof preloadEnvelope>
