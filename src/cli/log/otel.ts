import { spansIn } from '../../usage/spans.ts'
import type { Span } from '../../usage/spans.ts'
import type { LeftOut } from '../../usage/told-call.ts'
import { fault, readText, shown, TOKENS_RIGHT } from './entry.ts'
import type { Fields, Reading } from './entry.ts'
import { beginning } from './system.ts'
import { TIME_FORMS } from './time.ts'

/** An export of OpenTelemetry in OTLP JSON. */
export function isOtel(fields: Fields): boolean {
  return Array.isArray(fields['resourceSpans'])
}

export function readOtel(fields: Fields): Reading[] {
  return spansIn(fields).map(readSpan)
}

const LEFT_OUT: Partial<Record<LeftOut, string>> = {
  failed: 'failed calls',
  own_probe: "Pilotlight's own calls",
  repeated: 'spans that repeat the tokens of their children',
}

function readSpan({ told, first }: Span): Reading {
  if (!('call' in told)) {
    if (told.leftOut === 'bad_time') return fault(told.field ?? null, TIME_FORMS)
    if (told.leftOut === 'bad_count') return fault(told.field ?? null, TOKENS_RIGHT)
    return { leftOut: LEFT_OUT[told.leftOut] ?? 'spans that are not requests to a model' }
  }
  const { id, provider, models, startedAt, counts } = told.call
  const [prefix, label] = prefixOf(first)
  return {
    entry: {
      ...(id === null ? {} : { id }),
      prefix,
      label,
      provider,
      model: models[0] ?? null,
      at: startedAt,
      tokens: counts.input,
      cached: (counts.read ?? 0) + (counts.written ?? 0),
    },
  }
}

/** Identifies the prefix by the prompt's name, else by captured system instructions, else by the agent, else by the model alone. */
function prefixOf(first: Span['first']): [prefix: string, label: string] {
  const prompt = readText(first('gen_ai.prompt.name'))
  if (prompt !== null) return [`prompt ${prompt}`, shown(prompt, 'prompt')]
  const tools = first('gen_ai.tool.definitions', 'ai.prompt.tools', 'llm.tools.0.tool.json_schema')
  const said =
    first('gen_ai.system_instructions') ??
    (first('llm.input_messages.0.message.role') === 'system'
      ? first('llm.input_messages.0.message.content')
      : undefined)
  const system =
    said === undefined
      ? beginning(first('gen_ai.input.messages', 'ai.prompt.messages'), tools)
      : beginning({ system: said }, tools)
  if (system !== null) return [`system ${system}`, `system ${system.slice(0, 8)}`]
  const agent = readText(first('gen_ai.agent.name', 'gen_ai.agent.id', 'agent.name', 'ai.telemetry.functionId'))
  return agent === null ? ['', 'all requests'] : [`agent ${agent}`, shown(agent, 'agent')]
}
