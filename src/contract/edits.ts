import * as z from 'zod'
import { at } from './values.ts'

const arm = z.strictObject({
  calls: z.int(),
  read_ratio: z
    .number()
    .nullable()
    .meta({ description: "Share of the prompts' tokens that they read from the cache." }),
})

export const edits = z
  .strictObject({
    edited: arm,
    unedited: arm.meta({ description: 'Calls of the sessions that go on without edits, to compare.' }),
    stopped_at: at
      .nullable()
      .meta({ description: 'Since when no body is edited, for a week. null: bodies are edited.' }),
  })
  .nullable()
  .meta({
    description:
      'Calls to the same provider and model that asked the gateway for a cache marker (x-pilotlight-cache), with and without it. null: none did.',
  })
