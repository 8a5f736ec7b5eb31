import * as z from 'zod'
import { failureAnswer } from './failure.ts'
import { receiptAnswer, usage } from './receipt.ts'
import { at, usd } from './values.ts'

const step = z.enum(['waiting', 'running', 'succeeded', 'failed', 'skipped'])

const head = z.strictObject({
  status: step,
  why: z.string(),
  prefix_id: z.string().nullable(),
  estimated_tokens: z.int(),
  ends_at: z.string().meta({ description: 'Path of the last block that all of the group share.' }),
  receipt: receiptAnswer.nullable(),
  failure: failureAnswer.nullable(),
})

const group = z.strictObject({
  provider: z.string(),
  model: z.string(),
  credential: z.string(),
  cache_key: z.string().nullable(),
  agents: z.array(z.int()).meta({ description: 'Places in the list of agents.' }),
  head: head.nullable(),
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

/** A crew that is or was warmed together. */
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
  head_writes: z.int().meta({ description: 'How often what agents share was written.' }),
  calls: z.int(),
  failed: z.int(),
  usage,
  cost_usd: usd.meta({ description: 'Null where no call has a known cost.' }),
  unpriced_calls: z.int(),
  without_coordination_usd: usd.meta({
    description:
      'What the same agents would have cost had each of them written what they share; null where it is not known.',
  }),
  saved_usd: usd,
})
