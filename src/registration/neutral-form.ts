import { Failure } from '../contract/failure.ts'
import type { WarmBody } from '../contract/warm.ts'
import { renderTemplate } from '../core/prompt/template.ts'
import { filterTools } from '../providers/prefix/neutral.ts'
import type { Card } from '../providers/card.ts'
import type { CacheRequest, NeutralRequest } from '../providers/dialect.ts'

/** The neutral form as it will be sent: the template filled in, and the tools that the filter lets through. */
export function neutralRequest(card: Card, body: WarmBody, cache: CacheRequest | undefined): NeutralRequest {
  const { model, messages, vars, tool_filter: filter } = body
  if (body.system === undefined && body.tools === undefined && messages === undefined) {
    throw new Failure(
      'invalid_request',
      "request: is missing; give the provider's own body, or system, tools and messages.",
      { field: 'request' },
    )
  }
  if (model === undefined) throw new Failure('invalid_request', 'model: is missing.', { field: 'model' })
  refuseHandleBesideContents(card, cache)
  // Without `vars` nothing is a template: braces in a prompt are text.
  const system = vars === undefined ? body.system : renderTemplate(body.system ?? '', vars, 'system')
  const tools = filter === undefined ? body.tools : filterTools(body.tools ?? [], filter)
  return {
    model,
    ...(system === undefined ? {} : { system }),
    ...(tools === undefined
      ? {}
      : {
          tools: tools.map(({ name, description, parameters }) => ({
            name,
            ...(description === undefined ? {} : { description }),
            parametersText: parameters?.text ?? '{"type":"object","properties":{}}',
          })),
        }),
    ...(messages === undefined ? {} : { messages }),
    ...(cache === undefined ? {} : { cache }),
  }
}

/** A handle holds system, tools and messages already. Where a provider has no handles, `prepare` goes on without. */
function refuseHandleBesideContents(card: Card, cache: CacheRequest | undefined): void {
  const strategy = cache?.strategy
  if (card.managedCaches === undefined || typeof strategy !== 'object' || !('handle' in strategy)) return
  const field = strategy.at ?? 'cache.strategy.handle'
  const message = `${field}: cannot stand beside system, tools or messages, which a handle already holds; keep a handle with POST /caches.`
  throw new Failure('invalid_request', message, { field })
}
