import { invalid } from '../contract/failure.ts'
import type { WarmBody } from '../contract/warm.ts'
import { renderTemplate } from '../core/prompt/template.ts'
import type { Card } from '../providers/card.ts'
import type { CacheRequest, NeutralRequest } from '../providers/dialect.ts'
import { filterTools } from '../providers/prefix/neutral.ts'
import { refuseEmptyNeutral, refuseHandleBesideContents } from './refuse.ts'

/** The neutral form as it is rendered: `vars` filled in, and only the tools that `tool_filter` allows. */
export function neutralRequest(card: Card, body: WarmBody, cache: CacheRequest | undefined): NeutralRequest {
  refuseEmptyNeutral(body)
  const { model, messages, vars, tool_filter: filter } = body
  if (model === undefined) throw invalid('model', 'is missing')
  refuseHandleBesideContents(card, cache)
  // Without `vars` nothing is a template: braces in a prompt are text.
  const system = vars === undefined ? body.system : renderTemplate(body.system ?? '', vars, 'system')
  const tools = filter === undefined ? body.tools : filterTools(body.tools ?? [], filter)
  return {
    model,
    ...(system === undefined ? {} : { system }),
    ...(tools === undefined ? {} : { tools: tools.map(neutralTool) }),
    ...(messages === undefined ? {} : { messages }),
  }
}

/** A tool of the neutral form, as dialects render it. */
export function neutralTool({ name, description, parameters }: NonNullable<WarmBody['tools']>[number]) {
  const parametersText = parameters?.text ?? '{"type":"object","properties":{}}'
  return { name, ...(description === undefined ? {} : { description }), parametersText }
}
