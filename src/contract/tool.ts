import * as z from 'zod'
import { durationMs } from './scalars.ts'

/** Tools of a bot in requests and answers. */

/** Built-in tool that returns the time. */
export const TIME_TOOL = 'current_time'
/** Built-in tool of `exit_tool`: the model ends its turn by calling it. */
export const EXIT_TOOL = 'finish'
export const EXIT_PARAMETERS: Record<string, unknown> = {
  type: 'object',
  properties: { result: { type: 'string', description: 'The answer, whole and as it is to be read.' } },
  required: ['result'],
  additionalProperties: false,
}
export const MAX_TOOLS = 32
const MAX_PARAMETERS_CHARS = 16_000
const LONGEST_CALL_MS = 60_000

const parameters = z
  .record(z.string(), z.unknown(), { error: 'must be a JSON schema' })
  .refine((schema) => schema['type'] === 'object', { error: 'must be a JSON schema whose type is "object"' })
  .refine((schema) => JSON.stringify(schema).length <= MAX_PARAMETERS_CHARS, {
    error: `must be at most ${MAX_PARAMETERS_CHARS} characters of JSON`,
  })
  .refine((schema) => readSchema(schema) !== null, {
    error: 'must be a JSON schema that can be checked: known types, references that exist, no "if", "not" or "then"',
  })
  .meta({
    description: 'JSON schema of the arguments. Arguments that do not match are returned to the model as an error.',
  })

export const newTool = z
  .strictObject({
    name: z
      .string()
      .regex(/^[a-zA-Z0-9_-]{1,64}$/, { error: 'must be 1 to 64 letters, digits, hyphens and underscores' })
      .refine((name) => name !== TIME_TOOL, { error: `must not be ${TIME_TOOL}, a built-in tool of every bot` }),
    description: z.string().min(1).max(4_000, { error: 'must be at most 4000 characters' }),
    parameters: parameters.optional(),
    url: z
      .string()
      .max(2_000)
      .refine((url) => URL.canParse(url), { error: 'must be a URL' })
      .optional()
      .meta({ description: 'URL that receives the calls: https, on a public host. Absent where `service` is given.' }),
    service: z
      .string()
      .regex(/^\w{1,100}$/, { error: 'must be the name of a binding' })
      .optional()
      .meta({ description: 'In place of `url`: a service binding that the administrator names in TOOL_SERVICES.' }),
    path: z
      .string()
      .max(1_000)
      .regex(/^\/[\x21-\x7e]*$/, { error: 'must be a path that begins with /' })
      .optional()
      .meta({ description: 'Path at the service; / when absent.' }),
    timeout: z
      .union([z.string(), z.number()])
      .transform((value, context) => {
        const ms = durationMs(value)
        if (ms !== null && ms <= LONGEST_CALL_MS) return ms
        context.addIssue('must be a duration of at most 60s')
        return z.NEVER
      })
      .optional()
      .meta({ description: 'Limit for the whole call; 10s when absent, at most 60s.' }),
  })
  .superRefine(({ url, service, path }, context) => {
    const issue = (field: string, message: string): void => {
      context.addIssue({ code: 'custom', path: [field], message })
    }
    if (url === undefined && service === undefined) issue('url', 'is missing; give url or service')
    if (url !== undefined && service !== undefined) issue('service', 'must be absent if url is given')
    if (path !== undefined && service === undefined) issue('path', 'is allowed only with service')
  })

export const newTools = z
  .array(newTool)
  .max(MAX_TOOLS, { error: `must be at most ${MAX_TOOLS} tools` })
  .refine((tools) => new Set(tools.map(({ name }) => name)).size === tools.length, {
    error: 'must have different names',
  })

export type NewTool = z.output<typeof newTool>

/** Compiles a JSON schema to a validator; null when it cannot be compiled. */
function readSchema(schema: Record<string, unknown>): z.ZodType | null {
  try {
    z.fromJSONSchema(schema as z.core.JSONSchema.JSONSchema) // throws if any part of the schema cannot be read
    return z.fromJSONSchema(checkable(schema, refers(schema)) as z.core.JSONSchema.JSONSchema)
  } catch {
    return null
  }
}

/** Keywords whose value is an object of schemas. */
const NAMED = new Set(['properties', '$defs', 'definitions'])
/** Keywords that check one value with several schemas. If these refer to each other, each level doubles the time. */
const SEVERAL = new Set(['anyOf', 'oneOf', 'allOf', 'contains'])

/**
 * Returns the part of a schema that is checked here. It leaves out patterns, whose matching may never end, and, in a schema with
 * references, the keywords of `SEVERAL`. The model gets the whole schema, and the tool checks its arguments itself.
 */
function checkable(schema: unknown, hasReferences: boolean): unknown {
  if (Array.isArray(schema)) return schema.map((one) => checkable(one, hasReferences))
  if (typeof schema !== 'object' || schema === null) return schema
  const kept = Object.entries(schema).filter(([key]) => {
    if (key === 'pattern' || key === 'patternProperties') return false
    return !(hasReferences && SEVERAL.has(key)) && !(key === 'additionalProperties' && 'patternProperties' in schema)
  })
  return Object.fromEntries(
    kept.map(([key, value]) => {
      if (key === 'enum' || key === 'const' || key === 'default') return [key, value]
      if (!NAMED.has(key) || typeof value !== 'object' || value === null) return [key, checkable(value, hasReferences)]
      const named = Object.entries(value).map(([name, one]) => [name, checkable(one, hasReferences)])
      return [key, Object.fromEntries(named)]
    }),
  )
}

function refers(schema: unknown): boolean {
  if (typeof schema !== 'object' || schema === null) return false
  return '$ref' in schema || Object.values(schema).some(refers)
}

/** Checks the arguments that a model wrote. `wrong` is a sentence for the model that names each field and its fault. */
export function readArguments(
  schema: Record<string, unknown>,
  text: string,
): { value: unknown; wrong: null } | { value: null; wrong: string } {
  let value: unknown
  try {
    value = JSON.parse(text === '' ? '{}' : text)
  } catch {
    return { value: null, wrong: 'The arguments are not JSON.' }
  }
  let checked: z.ZodSafeParseResult<unknown> | undefined
  try {
    checked = readSchema(schema)?.safeParse(value)
  } catch (thrown) {
    if (thrown instanceof RangeError) return { value: null, wrong: 'The arguments are nested too deeply.' }
    throw thrown
  }
  if (checked === undefined) return { value: null, wrong: 'The schema of this tool cannot be read.' }
  if (checked.success) return { value, wrong: null }
  const issues = checked.error.issues.slice(0, 10).map(({ path, message }) => {
    const where = path.map(String).join('.')
    return where === '' ? message : `${where}: ${message}`
  })
  return { value: null, wrong: `The arguments do not fit the schema. ${issues.join('. ')}.` }
}
