import * as z from 'zod'
import { rawJson } from './raw-json.ts'

const within = (from: number, to: number) => {
  const error = `must be a number from ${from} to ${to}`
  return z.number({ error }).min(from, { error }).max(to, { error })
}

export const EFFORTS = ['none', 'minimal', 'low', 'medium', 'high', 'xhigh', 'max'] as const
const EFFORT = `must be one of ${EFFORTS.join(', ')}`

export const THINKING = ['disabled', 'enabled', 'adaptive', 'between_tools'] as const

const CHOICE = 'must be "auto", "none", "required" or {"tool": "the name of a tool"}'
const STOP = 'must be a text, or a list of 1 to 16 texts'
const KIND = `must be one of ${THINKING.join(', ')}, or {"budget_tokens": N}`

const stopWord = z.string({ error: STOP }).min(1, { error: 'must not be empty' }).max(1_000)

/**
 * What a caller sets of the model beside the prompt, in the neutral form. Each wire format writes it under its own names. What changes the
 * prefix is refused where a provider has no member for it; sampling is left out there.
 */
export const neutralSettings = {
  tool_choice: z
    .union([z.enum(['auto', 'none', 'required']), z.strictObject({ tool: z.string().min(1).max(200) })], {
      error: CHOICE,
    })
    .optional()
    .meta({ description: 'Whether the model calls a tool, and which.' }),
  parallel_tool_calls: z
    .boolean({ error: 'must be true or false' })
    .optional()
    .meta({ description: 'Whether one answer may call several tools.' }),
  temperature: within(0, 2).optional(),
  top_p: within(0, 1).optional(),
  top_k: z
    .int({ error: 'must be a whole number from 1' })
    .min(1, { error: 'must be a whole number from 1' })
    .optional(),
  seed: z.int({ error: 'must be a whole number' }).optional(),
  presence_penalty: within(-2, 2).optional(),
  frequency_penalty: within(-2, 2).optional(),
  stop: z
    .union([stopWord, z.array(stopWord, { error: STOP }).min(1, { error: STOP }).max(16, { error: STOP })], {
      error: STOP,
    })
    .optional()
    .meta({ description: 'Texts that end an answer.' }),
  effort: z.enum(EFFORTS, { error: EFFORT }).optional().meta({ description: 'How much the model reasons.' }),
  thinking: z
    .union(
      [
        z.enum(THINKING),
        z.strictObject({
          budget_tokens: z.int({ error: 'must be a whole number from 1' }).min(1, {
            error: 'must be a whole number from 1',
          }),
        }),
      ],
      { error: KIND },
    )
    .optional()
    .meta({ description: 'Whether the model thinks before it answers, or with how many tokens.' }),
  response_schema: rawJson(
    'JSON schema of the answer, or {"name", "schema", "strict", "description"}; the bytes of the schema are kept.',
  ).optional(),
}

export type SettingName = keyof typeof neutralSettings

export const SETTING_NAMES = Object.keys(neutralSettings) as SettingName[]
