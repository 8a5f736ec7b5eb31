import { invalid } from '../../contract/failure.ts'
import { SETTING_NAMES } from '../../contract/neutral-settings.ts'
import type { SettingName } from '../../contract/neutral-settings.ts'
import type { RawJson } from '../../contract/raw-json.ts'
import type { WarmBody } from '../../contract/warm.ts'
import type { Advice } from '../../core/model/advice.ts'
import type { ModelFacts } from '../../core/model/facts.ts'
import { member, readJson, stringMember } from '../../core/prompt/json-text.ts'
import type { JsonObject } from '../../core/prompt/json-text.ts'
import { NEVER_COMPARED, SAMPLING, unsupportedSetting } from '../../providers/neutral-settings.ts'
import type { NeutralSettings, ResponseSchema } from '../../providers/neutral-settings.ts'

/** What a wire format and a model have members for. */
interface Taken {
  lacks: readonly SettingName[]
  refuses: NonNullable<ModelFacts['refuses']>
}

/** Settings that reach the provider, and advice about those that are left out. */
export interface TakenSettings {
  settings: NeutralSettings
  advice: Advice[]
}

/** Sampling parameters that a model may refuse as one. Source: guides for Claude Opus 4.7 and for GPT-6, checked 2026-11-30. */
const REFUSED_SAMPLING: ReadonlySet<SettingName> = new Set(['temperature', 'top_p', 'top_k'])

/**
 * The settings of a neutral form, as they are rendered for one provider and model. `tools`: names of the tools that are sent.
 * Throws `unsupported` at the field of a setting that changes the prefix and has no member there, `invalid_request` for one that
 * contradicts the rest. Sampling without a member is left out, with advice.
 */
export function settingsFor(body: WarmBody, tools: readonly string[], taken: Taken): TakenSettings {
  refuseWithoutTools(body, tools)
  const advice: Advice[] = []
  const isTaken = (name: SettingName): boolean => {
    if (body[name] === undefined) return false
    const why = whyNot(name, body, taken)
    if (why === null) return true
    // Several calls in one answer are the default wherever no member forbids them.
    if (name === 'parallel_tool_calls' && body[name] === true) return false
    if (!NEVER_COMPARED.has(name)) throw unsupportedSetting(name, why)
    advice.push({ cause: 'sampling_left_out', message: `${name} is left out: ${why}. It changes no prefix.`, at: name })
    return false
  }
  const kept = new Set(SETTING_NAMES.filter(isTaken))
  const sampling = Object.fromEntries(SAMPLING.flatMap((name) => (kept.has(name) ? [[name, body[name]]] : [])))
  const { tool_choice, parallel_tool_calls, stop, effort, thinking, response_schema: schema } = body
  const settings: NeutralSettings = {
    ...(Object.keys(sampling).length === 0 ? {} : { sampling }),
    ...(tool_choice === undefined ? {} : { toolChoice: tool_choice }),
    ...(kept.has('parallel_tool_calls') ? { parallelToolCalls: parallel_tool_calls! } : {}),
    ...(kept.has('stop') ? { stop: typeof stop === 'string' ? [stop] : stop! } : {}),
    ...(effort === undefined ? {} : { effort }),
    ...(thinking === undefined
      ? {}
      : { thinking: typeof thinking === 'string' ? thinking : { budgetTokens: thinking.budget_tokens } }),
    ...(schema === undefined ? {} : { responseSchema: schemaOf(schema) }),
  }
  return { settings, advice }
}

/** Why a setting has no member; null: it has one, or says what its absence says. */
function whyNot(name: SettingName, { thinking }: WarmBody, { lacks, refuses }: Taken): string | null {
  const model = 'this model takes no such setting'
  if (lacks.includes(name)) return 'this provider has no such parameter'
  if (name === 'thinking') {
    if (typeof thinking === 'object')
      return refuses.includes('thinking') ? 'this model takes no budget for thinking' : null
    return refuses.includes('adaptive') ? model : null
  }
  if (refuses.includes('sampling') && REFUSED_SAMPLING.has(name)) return 'this model takes no sampling parameters'
  return refuses.some((one) => one === name) ? model : null
}

function refuseWithoutTools(
  { tool_choice: choice, parallel_tool_calls: parallel }: WarmBody,
  tools: readonly string[],
) {
  for (const [field, value] of [
    ['tool_choice', choice],
    ['parallel_tool_calls', parallel],
  ] as const) {
    if (value !== undefined && tools.length === 0) throw invalid(field, 'is allowed only where tools are sent')
  }
  if (typeof choice === 'object' && !tools.includes(choice.tool))
    throw invalid('tool_choice.tool', 'is not the name of a tool that is sent')
}

const DEFAULT_NAME = 'response'

/** A bare schema, or one with its name. A schema has no keyword `schema`, so that an object there tells them apart. */
function schemaOf({ text }: RawJson): ResponseSchema {
  const field = 'response_schema'
  const root = readJson(text, field)
  if (root.type !== 'object')
    throw invalid(field, 'must be a JSON schema, or {"name", "schema", "strict", "description"}')
  const schema = member(root, 'schema')
  if (schema === undefined) return { schemaText: text, name: DEFAULT_NAME, strict: true }
  if (schema.type !== 'object') throw invalid(`${field}.schema`, 'must be a JSON schema')
  const known = new Set(['name', 'schema', 'strict', 'description'])
  const unknown = root.members.find(({ key }) => !known.has(key))
  if (unknown !== undefined) throw invalid(field, 'may hold name, schema, strict and description beside a schema')
  const name = textOf(root, 'name') ?? DEFAULT_NAME
  if (!/^[\w-]{1,64}$/.test(name))
    throw invalid(`${field}.name`, 'must be 1 to 64 letters, digits, hyphens and underscores')
  const strict = member(root, 'strict')?.type ?? 'true'
  if (strict !== 'true' && strict !== 'false') throw invalid(`${field}.strict`, 'must be true or false')
  const description = textOf(root, 'description')
  return {
    schemaText: text.slice(schema.start, schema.end),
    name,
    strict: strict === 'true',
    ...(description === undefined ? {} : { description }),
  }
}

function textOf(root: JsonObject, key: string): string | undefined {
  if (member(root, key) !== undefined && stringMember(root, key) === undefined)
    throw invalid(`response_schema.${key}`, 'must be a string')
  return stringMember(root, key)
}
