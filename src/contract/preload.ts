import * as z from 'zod'
import { warmBody } from './warm.ts'
import { receiptAnswer, usage } from './receipt.ts'
import { failureAnswer } from './failure-answer.ts'
import { at, usd } from './values.ts'

export const MOST_AGENTS = 64

/** Bytes of a crew: each agent is prepared, and linted, as a body of its own, and some are prepared twice. */
export const MOST_CREW_BYTES = 4 * 1024 * 1024
/** Default number of parallel warms, as in libraries that warm crews in threads. More would only reach the rate limit sooner. */
export const AT_ONCE = 4

const MANY = `must be from 1 to ${MOST_AGENTS} agents`

const members = {
  strategy: z
    .enum(['parallel', 'sequential', 'shared_prefix'], {
      error: 'must be "parallel", "sequential" or "shared_prefix"',
    })
    .optional()
    .meta({
      description: '`shared_prefix` when absent: the common prefix is written once, then the agents are warmed.',
    }),
  min_shared_tokens: z
    .int({ error: 'must be a whole number from 0 to 10000000' })
    .min(0)
    .max(10_000_000)
    .optional()
    .meta({ description: 'Smallest shared head to write. It can only raise the minimum of the model.' }),
  min_agents: z
    .int({ error: `must be a whole number from 1 to ${MOST_AGENTS}` })
    .min(1)
    .max(MOST_AGENTS)
    .optional()
    .meta({ description: 'Smallest number of agents; nothing is sent below it. 2 when absent.' }),
  max_parallel: z
    .int({ error: `must be a whole number from 1 to ${MOST_AGENTS}` })
    .min(1)
    .max(MOST_AGENTS)
    .optional()
    .meta({ description: `Largest number of parallel calls; ${AT_ONCE} when absent.` }),
  background: z.boolean({ error: 'must be true or false' }).optional(),
}

/** Body of `POST /preload`, as documents show it. */
export const preloadBody = z.strictObject({
  ...members,
  agents: z.array(warmBody).min(1, { error: MANY }).max(MOST_AGENTS, { error: MANY }),
})

/** The same body with unread agents: a fault in one agent fails that agent alone. */
export const preloadEnvelope = z.strictObject({
  ...members,
  agents: z
    .array(z.unknown(), { error: 'must be a list of agents, each as the body of POST /warm' })
    .max(MOST_AGENTS, { error: MANY }),
})

export type Preload = z.output<typeof preloadEnvelope>

const step = z.enum(['waiting', 'running', 'succeeded', 'failed', 'skipped'])

const head = z.strictObject({
  status: step,
  why: z.string(),
  prefix_id: z.string().nullable().meta({ description: 'null: it is no prefix of its own.' }),
  written_by: z
    .int()
    .nullable()
    .meta({ description: 'Index of the agent whose own call writes it; null: no agent, but a call for it alone.' }),
  estimated_tokens: z.int(),
  ends_at: z.string().meta({
    description: 'Path of the last block that all agents of the group share, or of the text inside of which they part.',
  }),
  receipt: receiptAnswer.nullable(),
  failure: failureAnswer.nullable(),
})

const group = z.strictObject({
  provider: z.string(),
  model: z.string(),
  credential: z.string(),
  cache_key: z.string().nullable(),
  agents: z.array(z.int()).meta({ description: 'Indexes in the list of agents.' }),
  head: head.nullable(),
  pace: z
    .strictObject({ calls: z.int(), every: z.string() })
    .nullable()
    .meta({ description: 'Most calls in a time, so that all of them reach one machine; null: they have no limit.' }),
  why: z.string(),
})

export const crewAgentAnswer = z.strictObject({
  index: z.int(),
  name: z.string().nullable(),
  status: step,
  why: z.string(),
  prefix_id: z.string().nullable(),
  group: z.int().nullable(),
  receipt: receiptAnswer.nullable(),
  failure: failureAnswer.nullable(),
})

/** State of a crew that is warmed together, or its result. */
export const preloadAnswer = z.strictObject({
  id: z.string(),
  kind: z.literal('preload'),
  status: z.enum(['running', 'succeeded', 'failed', 'skipped']),
  strategy: z.enum(['parallel', 'sequential', 'shared_prefix']),
  why: z.string(),
  created_at: at,
  finished_at: at.nullable(),
  agents: z.array(crewAgentAnswer),
  groups: z.array(group),
  head_writes: z
    .int()
    .nullable()
    .meta({ description: 'Number of writes of shared heads; null: no answer counts what it read.' }),
  calls: z.int(),
  succeeded: z.int(),
  failed: z.int(),
  skipped: z.int(),
  usage,
  cost_usd: usd.meta({ description: 'null if the cost of every call is unknown.' }),
  unpriced_calls: z.int(),
  without_coordination_usd: usd.meta({
    description: 'Cost of the same agents if each had written the shared head itself; null: unknown.',
  }),
  saved_usd: usd,
})
