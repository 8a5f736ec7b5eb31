import { invalid } from '../../contract/failure.ts'
import type { WarmBody } from '../../contract/warm.ts'
import type { Advice } from '../../core/model/advice.ts'
import { renderTemplate } from '../../core/prompt/template.ts'
import type { TemplateWork } from '../../core/prompt/template.ts'
import type { Card } from '../../providers/card.ts'
import type { CacheRequest, NeutralRequest } from '../../providers/dialect.ts'
import { filterTools } from '../../providers/prefix/neutral.ts'
import { dialectOf } from '../../providers/registry.ts'
import { factsOf } from '../../runtime/facts.ts'
import { settingsFor } from './settings.ts'
import { refuseEmptyNeutral, refuseHandleBesideContents } from '../refuse.ts'

/**
 * The neutral form as it is rendered: `vars` filled in, only the tools that `tool_filter` allows, and the settings that the model takes.
 * `advice`: which settings are left out.
 */
export function neutralRequest(
  card: Card,
  body: WarmBody,
  cache: CacheRequest | undefined,
  now: number,
  work?: TemplateWork,
): { neutral: NeutralRequest; advice: Advice[] } {
  refuseEmptyNeutral(body)
  const { model, messages, vars, tool_filter: filter } = body
  if (model === undefined) throw invalid('model', 'is missing')
  refuseHandleBesideContents(card, cache)
  // Without `vars` nothing is a template: braces in a prompt are text.
  const system = vars === undefined ? body.system : renderTemplate(body.system ?? '', vars, 'system', work)
  const tools = filter === undefined ? body.tools : filterTools(body.tools ?? [], filter)
  const { refuses = [] } = factsOf(card.id, body.base_model ?? model, now)
  const names = (tools ?? []).map(({ name }) => name)
  const { settings, advice } = settingsFor(body, names, { lacks: dialectOf(card).lacks ?? [], refuses })
  const neutral = {
    model,
    ...(system === undefined ? {} : { system }),
    ...(tools === undefined ? {} : { tools: tools.map(neutralTool) }),
    ...(messages === undefined ? {} : { messages }),
    settings,
  }
  return { neutral, advice }
}

/** A tool of the neutral form, as dialects render it. */
export function neutralTool({ name, description, parameters }: NonNullable<WarmBody['tools']>[number]) {
  const parametersText = parameters?.text ?? '{"type":"object","properties":{}}'
  return { name, ...(description === undefined ? {} : { description }), parametersText }
}
